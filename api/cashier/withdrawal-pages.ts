/** Renders the pages of a withdrawal: the form, what will happen, and how far it is. */

import type { UnitBalance } from '../../db/books/balances/get-balances.js'
import type { PayoutRow } from '../../db/payouts/payout-row.js'
import { nativeCoin } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import type { Withdrawal } from '../../wire/withdrawal.js'
import { addressGroups } from '../pages/address-groups.js'
import { type Content, fill, type Html, html } from '../pages/html.js'
import { inWords } from '../pages/in-words.js'
import type { FieldName, Refusal } from './explain-refusal.js'
import { coinPart, form, languageButtons, type OfferedCoin, renderPage, type View } from './page.js'
import { CASHIER_PATH, CHECK, WITHDRAWALS } from './paths.js'
import type { WithdrawalFields } from './withdrawal.js'
import type { CashierWords } from './words/en.js'

const WITHDRAWALS_PATH = `${CASHIER_PATH}${WITHDRAWALS}`
const CHECK_PATH = `${CASHIER_PATH}${CHECK}`
/** Id of the form that a page is about. */
const FORM_ID = 'typed'

/** Form that comes back to the user, with what they typed. */
export interface Kept {
  readonly fields: WithdrawalFields
  /** `null` if the user only wants to change something. */
  readonly refusal: Refusal | null
}

/** Renders the form of each coin, and the user's latest withdrawals. */
export function renderWithdraw(
  view: View,
  coins: readonly OfferedCoin[],
  balances: readonly UnitBalance[],
  latest: readonly Withdrawal[],
  kept: Kept | null,
): string {
  const { words } = view
  const balanceOf = ({ network, coin }: OfferedCoin) =>
    balances.find((each) => each.network === network.name && each.coin === coin.name)?.available ?? 0n
  const sorted = [...coins].sort((a, b) => Number(balanceOf(b) > 0n) - Number(balanceOf(a) > 0n))
  const isKept = ({ network, coin }: OfferedCoin) =>
    network.name === kept?.fields.network && coin.name === kept.fields.coin
  const stray = kept?.refusal && !coins.some(isKept) ? kept.refusal.text : null
  const parts = sorted.map((offered) => {
    const { names, coin } = offered
    const units = balanceOf(offered)
    const available = formatAmount(units > 0n ? units : 0n, coin.decimals)
    const amount = html`<bdi>${available} ${names.coin}</bdi>`
    const title = html`<bdi>${names.coin}</bdi> <span class="soft">· <bdi>${names.network}</bdi> · ${fill(words.available, { amount })}</span>`
    const mine = isKept(offered)
    return coinPart(title, coins.length === 1 || mine, entryForm(view, offered, mine ? kept : null))
  })
  const title = html`${words.withdraw}`
  return renderPage(
    view,
    title,
    html`<main id="main"><h1>${title}</h1>
${kept?.refusal && html`<p class="note" role="alert">${stray ?? words.error}</p>`}
<p>${coins.length === 0 ? words.no_coins : words.withdraw_text}</p>
${parts}
${latest.length > 0 && latestPart(view, latest)}
</main>`,
    kept && !stray ? languageButtons(FORM_ID, CHECK_PATH, 'edit') : undefined,
  )
}

function entryForm(view: View, { network, coin, names }: OfferedCoin, kept: Kept | null): Html {
  const { words } = view
  const ids = (name: string) => `${network.name}-${coin.name}-${name}`
  const errorOf = (name: FieldName) =>
    html`<p class="error" id="${ids(`${name}-error`)}" data-error="${name}">${kept?.refusal?.field === name && kept.refusal.text}</p>`
  const state = (name: FieldName, hint = false) =>
    html` aria-describedby="${hint && html`${ids(`${name}-hint`)} `}${ids(`${name}-error`)}"${kept?.refusal?.field === name && html` aria-invalid="true"`}`
  const content = html`${errorOf('coin')}
<p><label for="${ids('amount')}">${fill(words.amount, { coin: names.coin })}</label>
<input id="${ids('amount')}" name="amount" inputmode="decimal" autocomplete="off" required maxlength="100" dir="ltr" value="${kept?.fields.amount}"${state('amount', true)}>
<span class="hint" id="${ids('amount-hint')}">${words.amount_hint}</span></p>
${errorOf('amount')}
<p><label for="${ids('to')}">${fill(words.to_address, { network: names.network })}</label>
<input id="${ids('to')}" name="to_address" autocomplete="off" autocapitalize="none" spellcheck="false" required maxlength="200" dir="ltr" value="${kept?.fields.to_address}"${state('to_address')}></p>
${errorOf('to_address')}
${
  coin.contract === null &&
  html`<p><label class="choice"><input type="checkbox" name="deduct" value="true"${kept?.fields.deduct && html` checked`}> ${words.deduct}</label></p>`
}
${errorOf('deduct')}
<div class="hint" data-outlook><p>${words.not_yet}</p></div>
<button class="button" formaction="${CHECK_PATH}">${words.check}</button>`
  const hidden = { network: network.name, coin: coin.name }
  return form(view, WITHDRAWALS_PATH, hidden, content, kept ? FORM_ID : undefined)
}

/** Renders what will happen, before it happens. @param row - Withdrawal that passes every check. */
export function renderConfirm(
  view: View,
  { network, coin, names }: OfferedCoin,
  fields: WithdrawalFields,
  row: PayoutRow,
): string {
  const { words } = view
  const whole = (units: bigint) => html`<bdi>${formatAmount(units, coin.decimals)} ${names.coin}</bdi>`
  const feeCoin = nativeCoin(network)
  const isToken = coin.contract !== null
  const fee = html`<bdi>${formatAmount(row.fee_estimate, feeCoin.decimals)} ${feeCoin.name.toUpperCase()}</bdi>`
  const arrives = row.fee_payer === 'recipient' ? row.amount - row.fee_estimate : row.amount
  const most = row.fee_payer === 'recipient' || isToken ? row.amount : row.amount + row.fee_limit
  const hidden = {
    network: fields.network,
    coin: fields.coin,
    amount: fields.amount,
    to_address: row.to_address,
    ...(fields.deduct ? { deduct: 'true' } : {}),
  }
  const title = fill(words.confirm, { amount: whole(row.amount) })
  return renderPage(
    view,
    title,
    html`<main id="main"><h1>${title}</h1>
<p class="warning">${words.confirm_text}</p>
${list([
  [words.coin, names.coin],
  [words.network, names.network],
  [words.to, addressGroups(row.to_address)],
  [words.sent_amount, whole(row.amount)],
  [words.fee, isToken ? words.fee_shop : fee],
  [words.arrives, html`<strong data-arrives>${whole(arrives > 0n ? arrives : 0n)}</strong>`],
  [words.reserved, whole(most)],
])}
${form(
  view,
  WITHDRAWALS_PATH,
  hidden,
  html`<button class="button">${words.send}</button>
<button formaction="${CHECK_PATH}" name="edit" value="true">${words.change}</button>`,
  FORM_ID,
)}
</main>`,
    languageButtons(FORM_ID, CHECK_PATH),
  )
}

/** Renders how far a withdrawal is. Without scripts the browser loads the page again until the end. */
export function renderStatus(view: View, withdrawal: Withdrawal): string {
  const { words } = view
  const title = fill(words.withdrawal_of, { amount: amountOf(withdrawal) })
  const isOver = ['confirmed', 'failed', 'cancelled'].includes(withdrawal.status)
  const fee = withdrawal.status === 'confirmed' ? words.fee_paid : words.fee
  return renderPage(
    view,
    title,
    html`<main id="main" class="screen-${withdrawal.status}"${!isOver && html` data-live`}><h1>${title}</h1>
${list([
  [words.status, html`<strong>${statusText(words, withdrawal)}</strong>`],
  [words.network, inWords(withdrawal.network)],
  [words.to, addressGroups(withdrawal.to_address)],
  [fee, withdrawal.coin === withdrawal.fee_coin ? feeOf(withdrawal) : words.fee_shop],
  ...(withdrawal.transaction_hash === null
    ? []
    : [[words.transaction, html`<code dir="ltr">${withdrawal.transaction_hash}</code>`] as const]),
  [words.number, html`<code dir="ltr">${withdrawal.id}</code>`],
])}
${!isOver && html`<noscript><meta http-equiv="refresh" content="15"><p><a href="">${words.look_again}</a></p></noscript>`}
<p><a href="${CASHIER_PATH}">${words.once_more}</a></p>
</main>`,
  )
}

function latestPart({ words }: View, latest: readonly Withdrawal[]): Html {
  const items = latest.map(
    (each) =>
      html`<li><a href="${WITHDRAWALS_PATH}/${each.id}">${fill(words.withdrawal_of, { amount: amountOf(each) })}</a> <span class="soft">· ${statusText(words, each)}</span></li>`,
  )
  return html`<h2>${words.yours}</h2><ul class="plain">${items}</ul>`
}

function statusText(words: CashierWords, withdrawal: Withdrawal): Html {
  return fill(words[`status_${withdrawal.status}`], {
    done: Math.min(withdrawal.confirmations, withdrawal.required_confirmations),
    needed: withdrawal.required_confirmations,
  })
}

function amountOf({ amount, coin }: Withdrawal): Html {
  return html`<bdi>${amount} ${coin.toUpperCase()}</bdi>`
}

function feeOf({ fee, fee_coin }: Withdrawal): Html {
  return html`<bdi>${fee} ${fee_coin.toUpperCase()}</bdi>`
}

function list(rows: readonly (readonly [string, Content])[]): Html {
  return html`<dl>${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`
}
