/** Issues a payment again after it expired or was cancelled: the same terms, a new address, a new time. */

import { findCoin, type Network } from '../../domain/chain/network.js'
import type { Transaction } from '../connect.js'
import { appendEvents } from '../events/log/append-events.js'
import { invalidState, lockOwnPayment, type PaymentDecision } from './cancel-payment.js'
import { createPayment } from './create-payment.js'
import { sumDeposits } from './deposits-of-payments.js'
import type { PaymentRow } from './payment-row.js'
import { evaluate, paymentEvents, saveExpiry, savePayment } from './save-payment.js'

export interface PaymentReissue extends PaymentDecision {
  /** `null`: as long as the first attempt. */
  readonly expiresInSeconds: number | null
  /** Base of the checkout URL, without a slash at its end. */
  readonly publicUrl: string
}

/**
 * Creates the next attempt and links both. The old one keeps its status, also when a deposit arrives at its address.
 *
 * @param networkOf - Finds an enabled network. It throws `UNSUPPORTED_NETWORK`.
 * @throws KeyturnError `NOT_FOUND`; `INVALID_STATE` before its end, for an open payment, and the second time.
 */
export async function reissuePayment(
  tx: Transaction,
  networkOf: (name: string) => Network,
  ask: PaymentReissue,
): Promise<PaymentRow> {
  const first = await lockOwnPayment(tx, ask)
  const deposits = (await sumDeposits(tx, [ask.id])).get(ask.id) ?? []
  const value = evaluate(first, deposits)
  if (first.amount === null) {
    throw invalidState(
      first.id,
      value.status,
      'An open payment has no terms to issue again; create another one',
    )
  }
  if (value.status !== 'expired' && value.status !== 'cancelled') {
    throw invalidState(
      first.id,
      value.status,
      `This payment is ${value.status}; only an ended one is reissued`,
    )
  }
  if (first.reissued_as !== null) {
    throw invalidState(first.id, value.status, `This payment was reissued as ${first.reissued_as}; use that`)
  }
  const network = networkOf(first.network)
  const expired = await saveExpiry(tx, first, value)
  if (expired) await appendEvents(tx, await paymentEvents(tx, [expired]))
  const lifetime = Math.round((first.expires_at.getTime() - first.created_at.getTime()) / 1_000)
  const next = await createPayment(tx, {
    merchantId: first.merchant_id,
    network,
    coin: findCoin(network, first.coin),
    userReference: first.user_reference,
    amount: first.amount,
    allowance: first.allowance,
    tolerance: first.tolerance,
    quote: first.quote,
    orderId: first.order_id,
    successUrl: first.success_url,
    failureUrl: first.failure_url,
    metadata: first.metadata,
    expiresInSeconds: ask.expiresInSeconds ?? lifetime,
    attemptOf: first.id,
    publicUrl: ask.publicUrl,
    cause: ask.cause,
    actor: ask.actor,
  })
  const linked = { ...first, ...expired?.row, reissued_as: next.id }
  const saved = await savePayment(tx, linked, evaluate(linked, deposits), ask.cause)
  await appendEvents(tx, await paymentEvents(tx, [saved]))
  return next
}
