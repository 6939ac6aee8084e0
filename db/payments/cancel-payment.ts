/** Cancels a payment for which nothing has arrived. */

import { KeyturnError } from '../../domain/errors.js'
import { isPaymentFinal } from '../../domain/payments/payment-status.js'
import { appendAudit } from '../audit/append-audit.js'
import type { Transaction } from '../connect.js'
import { appendEvents } from '../events/log/append-events.js'
import { sumDeposits } from './deposits-of-payments.js'
import { type LockedPayment, lockPayments } from './payment-row.js'
import { paymentNotFound } from './read-payments.js'
import { evaluate, type PaymentCause, paymentEvents, savePayment } from './save-payment.js'

export interface PaymentDecision {
  readonly merchantId: string
  readonly id: string
  readonly cause: PaymentCause
  /** Actor in the audit log. */
  readonly actor: string
}

/**
 * Cancels the payment. Its address stays watched, and what arrives later is the user's.
 *
 * @throws KeyturnError `NOT_FOUND`; `INVALID_STATE` once anything was detected, and at every end.
 */
export async function cancelPayment(tx: Transaction, ask: PaymentDecision): Promise<void> {
  const payment = await lockOwnPayment(tx, ask)
  const deposits = (await sumDeposits(tx, [ask.id])).get(ask.id) ?? []
  const value = evaluate(payment, deposits)
  if (isPaymentFinal(value.status)) {
    throw invalidState(payment.id, value.status, `This payment is ${value.status} already`)
  }
  if (deposits.length > 0) {
    throw invalidState(payment.id, value.status, 'Something was paid, so this payment cannot be cancelled')
  }
  const saved = await savePayment(tx, payment, { ...value, status: 'cancelled' }, ask.cause)
  await appendAudit(tx, {
    merchantId: ask.merchantId,
    actor: ask.actor,
    action: 'payment.cancelled',
    subject: ask.id,
  })
  await appendEvents(tx, await paymentEvents(tx, [saved]))
}

/** Locks a payment of the merchant. @throws KeyturnError `NOT_FOUND`. */
export async function lockOwnPayment(
  tx: Transaction,
  { merchantId, id }: Pick<PaymentDecision, 'merchantId' | 'id'>,
): Promise<LockedPayment> {
  const [payment] = await lockPayments(tx, [id])
  if (payment?.merchant_id !== merchantId) throw paymentNotFound(id)
  return payment
}

/** Creates the error for a payment whose status does not allow the request. */
export function invalidState(id: string, status: string, message: string): KeyturnError {
  return new KeyturnError('INVALID_STATE', message, { details: { payment_id: id, status } })
}
