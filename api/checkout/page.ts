/** Renders the checkout page of a payment. */

import type { Checkout } from '../../db/payments/read-checkout.js'
import { knownCoin, type Networks } from '../../domain/chain/network.js'
import { GONE_DEPOSITS } from '../../domain/deposits/deposit-sets.js'
import { formatAmount } from '../../domain/money.js'
import { type CheckoutScreen, checkoutScreen } from '../../domain/payments/checkout-screen.js'
import { paymentUri } from '../../domain/payments/payment-uri.js'
import { addressGroups } from '../pages/address-groups.js'
import { type Content, exact, fill, Html, html } from '../pages/html.js'
import { inWords } from '../pages/in-words.js'
import { formatDuration, formatTime, type Language } from '../pages/language.js'
import { qrSvg } from '../pages/qr-svg.js'
import type { CheckoutWords } from './words/en.js'
import { CHECKOUT_WORDS } from './words.js'

/** Time before the end at which the countdown becomes prominent, or a fifth of a short payment's life. */
const SOON_MS = 300_000
const SOON_SHARE = 5

/** Main part of a page, which the live page also gets by itself. */
export interface MainPart {
  readonly title: Html
  readonly main: Html
  /** Changes with everything that the main part shows, the time that is left aside. */
  readonly version: string
}

interface Terms {
  readonly checkout: Checkout
  readonly words: CheckoutWords
  readonly language: Language
  readonly coin: string
  readonly network: string
}

/** Renders the main part. */
export function renderMain(checkout: Checkout, networks: Networks, language: Language): MainPart {
  const words = CHECKOUT_WORDS[language]
  const terms: Terms = {
    checkout,
    words,
    language,
    coin: checkout.coin.toUpperCase(),
    network: inWords(checkout.network),
  }
  const screen = screenOf(checkout)
  const version = versionOf(checkout, screen)
  const { title, text } = headline(terms, screen)
  const payable = screen === 'pending' || screen === 'partial'
  const main = html`<main id="main" class="screen-${screen}" data-version="${version}"${payable && clock(checkout)}>
<h1>${title}</h1>
<p>${text}</p>
${notes(terms, screen)}
${payable && waysToPay(terms, networks)}
${screen === 'paid' && progress(terms)}
${back(terms, screen)}
${screen === 'paid' && checkAgain(terms)}
${checkout.order_id !== null && html`<dl><dt>${words.order}</dt><dd><bdi>${checkout.order_id}</bdi></dd></dl>`}
</main>`
  return { title: plain(title), main, version }
}

/** Renders the help under the main part. */
export function renderHelp(checkout: Checkout, language: Language): Html {
  return html`<p>${CHECKOUT_WORDS[language].help} <code dir="ltr">${checkout.id}</code></p>`
}

function screenOf(checkout: Checkout): CheckoutScreen {
  return checkoutScreen({
    status: checkout.status,
    flags: checkout.flags,
    detected: checkout.amount_detected,
    expiresAt: checkout.expires_at.getTime(),
    now: checkout.now.getTime(),
  })
}

function versionOf(checkout: Checkout, screen: CheckoutScreen): string {
  const { done, needed } = confirmations(checkout)
  return [
    screen,
    checkout.flags.join(),
    checkout.amount_detected,
    checkout.amount_confirmed,
    done,
    needed,
  ].join('-')
}

function headline(terms: Terms, screen: CheckoutScreen): { readonly title: Html; readonly text: Html } {
  const { checkout, words, coin, network } = terms
  const total = checkout.amount === null ? null : amount(terms, checkout.amount)
  const values = {
    coin,
    network,
    received: amount(terms, screen === 'confirmed' ? checkout.amount_confirmed : checkout.amount_detected),
    total,
    amount: amount(terms, due(checkout) ?? 0n),
  }
  const [title, text] = ((): readonly [string, string] => {
    switch (screen) {
      case 'pending':
        return total === null ? [words.open, words.open_text] : [words.pending, words.pending_text]
      case 'expired':
        return [
          words.expired,
          checkout.amount_detected > 0n && total !== null ? words.expired_part_text : words.expired_text,
        ]
      case 'partial':
        return [words.partial, words.partial_text]
      case 'paid':
        return [words.paid, words.paid_text]
      case 'confirmed':
        return [words.confirmed, words.confirmed_text]
      case 'late':
        return [words.late, words.late_text]
      case 'cancelled':
        return [words.cancelled, words.cancelled_text]
    }
  })()
  return { title: fill(title, values), text: fill(text, values) }
}

function notes({ checkout, words }: Terms, screen: CheckoutScreen): Content {
  const { flags } = checkout
  const ended = screen === 'expired' || screen === 'cancelled' || screen === 'late'
  return [
    flags.includes('reissued') && words.reissued,
    flags.includes('wrong_coin') && words.wrong_coin,
    flags.includes('overpaid') && words.overpaid,
    flags.includes('reorged') && screen !== 'confirmed' && !ended && words.reorged,
  ].map((note) => note && html`<p class="note">${note}</p>`)
}

function waysToPay(terms: Terms, networks: Networks): Html {
  const { checkout, words, coin, network } = terms
  const rest = due(checkout)
  const uri = uriOf(checkout, networks)
  const digits = rest === null ? null : formatAmount(rest, checkout.decimals)
  return html`<p class="warning">${fill(words.only, { coin, network })}</p>
${timeLeft(terms)}
<div class="pay">
${uri !== null && qrSvg(uri, words.qr)}
<p>${rest === null ? words.scan_open : words.scan}</p>
<dl>
${digits !== null && html`<div><dt>${words.amount}</dt><dd><strong>${amount(terms, rest ?? 0n)}</strong>${copyButton('copy-amount', words.copy_amount, words, digits)}</dd></div>`}
<div><dt>${words.coin}</dt><dd><bdi>${coin}</bdi></dd></div>
<div><dt>${words.network}</dt><dd><bdi>${network}</bdi></dd></div>
<div><dt>${words.address}</dt><dd>${addressGroups(checkout.address)}${copyButton('copy-address', words.copy_address, words, checkout.address)}</dd></div>
</dl>
${uri !== null && html`<p><a class="button" href="${exact(uri)}" rel="noreferrer">${words.open_wallet}</a></p>`}
</div>
${checkAgain(terms)}`
}

/** Returns the URI of what is still due. `null` if a part was paid and the network was switched off since. */
function uriOf(checkout: Checkout, networks: Networks): string | null {
  const rest = due(checkout)
  if (rest === checkout.amount) return checkout.payment_uri
  const network = networks.get(checkout.network)
  return network ? paymentUri(network, knownCoin(network, checkout.coin), checkout.address, rest) : null
}

/** Returns the base units that are still due. `null` for an open payment. */
function due({ amount: total, amount_detected: detected }: Checkout): bigint | null {
  if (total === null) return null
  return detected < total ? total - detected : 0n
}

function clock({ expires_at, created_at, now }: Checkout): Html {
  return html` data-expires="${expires_at.getTime()}" data-now="${now.getTime()}" data-soon="${soonMs(created_at, expires_at)}"`
}

function soonMs(from: Date, to: Date): number {
  return Math.min(SOON_MS, Math.round((to.getTime() - from.getTime()) / SOON_SHARE))
}

function timeLeft({ checkout, words, language }: Terms): Html {
  const { created_at, expires_at, now } = checkout
  const left = expires_at.getTime() - now.getTime()
  const isSoon = left <= soonMs(created_at, expires_at)
  const duration = html`<bdi id="left">${formatDuration(language, left)}</bdi>`
  const time = html`<time datetime="${expires_at.toISOString()}"><bdi>${formatTime(language, expires_at)}</bdi></time>`
  return html`<p id="clock" class="clock${isSoon && ' soon'}">${fill(words.left, { duration })} <span>(${fill(words.until, { time })})</span></p>`
}

/** Renders how far the deposit with the most blocks to wait for is. */
function progress({ checkout, words }: Terms): Html {
  const { done, needed } = confirmations(checkout)
  const text = fill(words.confirmations, { done, needed })
  return html`<p class="progress"><label>${text} <progress max="${needed}" value="${done}"></progress></label></p>`
}

/** Returns the confirmations of the deposit of this coin that has the most blocks to wait for. */
function confirmations({ coin, deposits }: Checkout): { readonly done: number; readonly needed: number } {
  const waiting = deposits
    .filter((each) => each.coin === coin && !GONE_DEPOSITS[each.status])
    .map((each) => ({
      done: Math.min(each.confirmations, each.required_confirmations),
      needed: each.required_confirmations,
    }))
    .sort((a, b) => b.needed - b.done - (a.needed - a.done))
  return waiting[0] ?? { done: 0, needed: 0 }
}

/** Renders the way back to the shop, which a payer who can still pay does not need. */
function back({ checkout, words }: Terms, screen: CheckoutScreen): Content {
  if (screen === 'pending' || screen === 'partial') return null
  const paid = screen === 'paid' || screen === 'confirmed'
  const url = paid ? checkout.success_url : checkout.failure_url
  return (
    url !== null && html`<p><a class="button" href="${exact(url)}" rel="noreferrer">${words.back}</a></p>`
  )
}

/** Renders what a browser without scripts needs, where the page does not change by itself. */
function checkAgain({ words }: Terms): Html {
  return html`<noscript><p>${words.check_text} <a href="">${words.check}</a></p></noscript>`
}

/** Renders the button, which the script shows. */
function copyButton(id: string, label: string, { copied }: CheckoutWords, text: string): Html {
  return html` <button type="button" id="${id}" hidden data-copy="${exact(text)}" data-copied="${copied}">${label}</button>`
}

function amount({ checkout, coin }: Terms, units: bigint): Html {
  return html`<bdi>${formatAmount(units, checkout.decimals)} ${coin}</bdi>`
}

/** Removes the elements of a headline. A title of a document is text alone, and its values are escaped. */
function plain(title: Html): Html {
  return new Html(title.text.replace(/<[^>]*>/g, ''))
}
