/** Makes the shape in which events and the API show a payment. */

import { formatAmount } from '../../domain/money.js'
import type { PaymentFlag, PaymentStatus } from '../../domain/payments/payment-status.js'
import type { PaymentStatusChanged } from '../../wire/event.js'
import type { Payment } from '../../wire/payment.js'
import type { NewEvent } from '../events/log/append-events.js'
import type { DepositOfPayment } from './deposits-of-payments.js'
import type { PaymentRow } from './payment-row.js'

/**
 * Makes the view of a row.
 *
 * @param deposits - Deposits with the payment's id, oldest first.
 */
export function paymentView(row: PaymentRow, deposits: readonly DepositOfPayment[]): Payment {
  const shown = (units: bigint) => formatAmount(units, row.decimals)
  return {
    payment_id: row.id,
    status: row.status,
    network: row.network,
    coin: row.coin,
    amount: row.amount === null ? null : shown(row.amount),
    amount_detected: shown(row.amount_detected),
    amount_confirmed: shown(row.amount_confirmed),
    amount_due: row.amount === null ? null : shown(amountDue(row, row.amount)),
    flags: row.flags,
    address: row.address,
    derivation_path: row.derivation_path,
    payment_uri: row.payment_uri,
    checkout_url: row.checkout_url,
    success_url: row.success_url,
    failure_url: row.failure_url,
    order_id: row.order_id,
    user_reference: row.user_reference,
    quote: row.quote,
    tolerance: row.tolerance,
    attempt_of: row.attempt_of,
    reissued_as: row.reissued_as,
    expires_at: row.expires_at.toISOString(),
    created_at: row.created_at.toISOString(),
    paid_at: row.paid_at?.toISOString() ?? null,
    confirmed_at: row.confirmed_at?.toISOString() ?? null,
    deposits: deposits.map((each) => ({
      id: each.id,
      transaction_hash: each.txid,
      coin: each.coin,
      amount: formatAmount(each.amount, each.coin === row.coin ? row.decimals : (each.decimals ?? 0)),
      status: each.status,
    })),
    history: row.history,
    metadata: { ...row.metadata },
  }
}

/** Returns the base units that are still to be paid: none once the payment is confirmed. */
export function amountDue(row: PaymentRow, amount: bigint): bigint {
  return row.status === 'confirmed' || row.amount_detected >= amount ? 0n : amount - row.amount_detected
}

/** Makes the `payment.status_changed` event of a row that just changed. */
export function paymentEvent(
  row: PaymentRow,
  deposits: readonly DepositOfPayment[],
  before: { readonly status: PaymentStatus; readonly flags: readonly PaymentFlag[] } | null,
): NewEvent {
  const data: PaymentStatusChanged = {
    ...paymentView(row, deposits),
    previous_status: before?.status ?? null,
    previous_flags: before?.flags ?? [],
  }
  return { merchantId: row.merchant_id, type: 'payment.status_changed', subject: row.id, data: { ...data } }
}
