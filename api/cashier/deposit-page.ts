/** Renders the page on which a user sees their addresses. */

import type { OwnAddress } from '../../db/cashier/list-own-addresses.js'
import { paymentUri } from '../../domain/payments/payment-uri.js'
import { addressGroups } from '../pages/address-groups.js'
import { languageLinks } from '../pages/document.js'
import { fill, type Html, html } from '../pages/html.js'
import { qrSvg } from '../pages/qr-svg.js'
import { coinPart, copyButton, form, type OfferedCoin, renderPage, type View } from './page.js'
import { ADDRESSES, CASHIER_PATH } from './paths.js'

/** Renders the page. @param chosen - Coin that is open, for which the user has asked. */
export function renderDeposit(
  view: View,
  coins: readonly OfferedCoin[],
  addresses: readonly OwnAddress[],
  chosen: { readonly network?: string | undefined; readonly coin?: string | undefined },
): string {
  const { words } = view
  const parts = coins.map((offered) => {
    const { network, coin, names } = offered
    const own = addresses.filter((each) => each.network === network.name)
    const isChosen = network.name === chosen.network && coin.name === chosen.coin
    const title = html`<bdi>${names.coin}</bdi> <span class="soft">· <bdi>${names.network}</bdi></span>`
    return coinPart(title, coins.length === 1 || isChosen, addressPart(view, offered, own))
  })
  const title = html`${words.deposit}`
  return renderPage(
    view,
    title,
    html`<main id="main"><h1>${title}</h1>
<p>${coins.length === 0 ? words.no_coins : words.deposit_text}</p>
${parts}
</main>`,
    languageLinks(chosen),
  )
}

function addressPart(view: View, { network, coin, names }: OfferedCoin, own: readonly OwnAddress[]): Html {
  const { words } = view
  const [newest, ...earlier] = own
  const action = `${CASHIER_PATH}${ADDRESSES}`
  const asked = { network: network.name, coin: coin.name }
  if (!newest) {
    return html`<p>${fill(words.no_address, { network: names.network })}</p>
${form(view, action, asked, html`<button class="button">${words.get_address}</button>`)}`
  }
  return html`<p class="warning">${fill(words.only, { coin: names.coin, network: names.network })}</p>
${qrSvg(paymentUri(network, coin, newest.address, null), fill(words.qr, names).text)}
<p>${words.scan}</p>
<dl><div><dt>${words.your_address}</dt><dd>${addressGroups(newest.address)}${copyButton(view, words.copy_address, newest.address)}</dd></div></dl>
${
  earlier.length > 0 &&
  html`<details><summary>${words.earlier}</summary><ul class="plain">${earlier.map(({ address }) => html`<li>${addressGroups(address)}</li>`)}</ul></details>`
}
${form(view, action, { ...asked, new: 'true' }, html`<button>${words.another_address}</button>`)}`
}
