/** Walks a payment as a visitor of the sample shop does: its button, the checkout page, and test coins. */

import type { Client } from '../../client/create-client.js'
import type { Payment } from '../../client/types.js'
import type { StackFile } from '../stack/stack-file.js'
import type { Leg } from './leg.js'
import { until } from './until.js'
import { webhooksOf } from './webhooks.js'

/** Walks the payment. @returns The URL of its checkout page. @throws Error at the first step that fails. */
export async function walkPayment(stack: StackFile, client: Client, leg: Leg): Promise<string> {
  leg.begin('pay button')
  const page = await (await fetch(stack.shop)).text()
  const order_id = /name="order_id" value="([^"]+)"/.exec(page)?.[1] ?? ''
  const checkoutUrl = await press(stack, 'pay', { order_id, coin: 'eth' })
  // The client throws when the address is not derived from the keys that the signer exported.
  const [requested] = (await client.payments.list({ order_id })).items
  if (requested?.checkout_url !== checkoutUrl) throw new Error(`the button leads to ${checkoutUrl}`)
  const { payment_id, amount, coin } = requested
  leg.done(`the shop's button requested ${amount} ${coin} (${payment_id})`)

  leg.begin('checkout page')
  await showsPayment(requested, 'pending')
  leg.done(`its checkout page shows how to pay (${checkoutUrl})`)

  leg.begin('test coins')
  await press(stack, 'test-coins', { payment_id })
  const confirmed = await until('the payment is confirmed', async () => {
    const now = await client.payments.get(payment_id)
    if (now.status === 'expired' || now.status === 'cancelled') throw new Error(now.status)
    return now.status === 'confirmed' ? now : null
  })
  const [deposit] = confirmed.deposits
  if (confirmed.amount_confirmed !== amount || confirmed.flags.length > 0)
    throw new Error(`${confirmed.amount_confirmed} was credited, with the flags ${confirmed.flags}`)
  leg.done(`${confirmed.amount_confirmed} ${coin} came, confirmed (${deposit?.transaction_hash})`)

  leg.begin('payment webhooks')
  const received = await webhooksOf(stack, payment_id, 'payment.status_changed', 'confirmed')
  await showsPayment(confirmed, 'confirmed')
  leg.done(`${received} payment webhooks verified; the checkout page says that it is paid`)
  return checkoutUrl
}

/** Presses a button of the shop. @returns Where it leads. */
async function press(stack: StackFile, action: string, fields: Record<string, string>): Promise<string> {
  const body = new URLSearchParams(fields)
  const answer = await fetch(new URL(action, stack.shop), { method: 'POST', body, redirect: 'manual' })
  const text = await answer.text()
  if (answer.status !== 303) throw new Error(`the shop answered ${answer.status}: ${text}`)
  return answer.headers.get('location') ?? ''
}

/** Reads the checkout page, which needs no key. @throws Error when it does not show the payment. */
async function showsPayment(payment: Payment, screen: string): Promise<void> {
  const answer = await fetch(payment.checkout_url)
  const page = await answer.text()
  const shown = [`class="screen-${screen}"`, payment.payment_id, payment.order_id ?? '']
  const absent = shown.filter((each) => !page.includes(each))
  if (answer.status !== 200 || absent.length > 0)
    throw new Error(`the checkout page answered ${answer.status} without ${absent.join(', ')}`)
}
