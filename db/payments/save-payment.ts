/** Writes what a payment became, with its event. */

import {
  evaluatePayment,
  type PaymentDeposit,
  type PaymentValue,
} from '../../domain/payments/evaluate-payment.js'
import { isPaymentFinal, PAYMENT_TRANSITIONS } from '../../domain/payments/payment-status.js'
import type { PaymentHistoryEntry } from '../../wire/payment.js'
import { json, type Transaction } from '../connect.js'
import type { NewEvent } from '../events/log/append-events.js'
import { notice } from '../notices.js'
import { depositsOfPayments } from './deposits-of-payments.js'
import type { LockedPayment, PaymentRow } from './payment-row.js'
import { paymentEvent } from './payment-view.js'

export type PaymentCause = PaymentHistoryEntry['cause']

/**
 * Most lines of a payment's history. A payer who replaces a transaction again and again decides how often the
 * status changes, and each line would be in every later event.
 */
const HISTORY_KEPT = 100

export interface SavedPayment {
  readonly before: PaymentRow
  readonly row: PaymentRow
  /** Whether its status or flags changed. */
  readonly shown: boolean
}

/** Computes what a locked payment is now, from its deposits. */
export function evaluate(row: LockedPayment, deposits: readonly PaymentDeposit[]): PaymentValue {
  return evaluatePayment(
    { coin: row.coin, amount: row.amount, allowance: row.allowance, expiresAt: row.expires_at.getTime() },
    { status: row.status, reorged: row.reorged, reissued: row.reissued_as !== null },
    deposits,
    row.now.getTime(),
  )
}

/**
 * Writes a locked payment with a new value. A change of status or flags gets a line in its history and an
 * event (`paymentEvents`), and wakes its workflow. A change of the sums alone does none of this: a payer
 * decides how many deposits there are, and a history of Temporal holds some ten thousand signals.
 */
export async function savePayment(
  tx: Transaction,
  row: LockedPayment,
  value: PaymentValue,
  cause: PaymentCause,
): Promise<SavedPayment> {
  const { status, flags } = value
  if (status !== row.status && !PAYMENT_TRANSITIONS[row.status].includes(status)) {
    throw new Error(`Payment ${row.id} cannot go from ${row.status} to ${status}`)
  }
  const shown = status !== row.status || flags.join() !== row.flags.join()
  const summed = value.detected !== row.amount_detected || value.confirmed !== row.amount_confirmed
  if (!shown && !summed) return { before: row, row, shown: false }
  const at = row.now
  const reached = status === 'paid' || status === 'confirmed'
  const after: PaymentRow = {
    ...row,
    status,
    flags,
    amount_detected: value.detected,
    amount_confirmed: value.confirmed,
    reorged: value.reorged,
    history: shown ? withLine(row.history, { status, flags, at: at.toISOString(), cause }) : row.history,
    version: row.version + 1,
    updated_at: at,
    paid_at: status === 'pending' ? null : reached ? (row.paid_at ?? at) : row.paid_at,
    confirmed_at: status === 'confirmed' ? (row.confirmed_at ?? at) : null,
    ended_at: isPaymentFinal(status) ? (row.ended_at ?? at) : null,
  }
  // One statement, so that the open pages of the payment cost no round trip.
  await tx`
    WITH written AS (
    UPDATE payments
    SET status = ${after.status}, flags = ${[...after.flags]}, amount_detected = ${after.amount_detected.toString()},
        amount_confirmed = ${after.amount_confirmed.toString()}, reorged = ${after.reorged}, history = ${json(tx, after.history)},
        version = ${after.version}, updated_at = ${after.updated_at}, paid_at = ${after.paid_at},
        confirmed_at = ${after.confirmed_at}, ended_at = ${after.ended_at}, reissued_as = ${after.reissued_as},
        wake_due = wake_due OR ${shown}
    WHERE id = ${row.id})
    ${notice(tx, 'payment_changed', row.id)}`
  return { before: row, row: after, shown }
}

/**
 * Writes that the time of a locked payment is over, as its timer would have done, so that what is known only
 * now gets a line and an event of its own.
 *
 * @param value - What the payment is now.
 * @returns `null` if it does not expire now, or not because of its time.
 */
export async function saveExpiry(
  tx: Transaction,
  row: LockedPayment,
  value: PaymentValue,
): Promise<SavedPayment | null> {
  if (row.status !== 'pending' || value.status !== 'expired') return null
  const { flags, amount_detected: detected, amount_confirmed: confirmed, reorged } = row
  const expired = { status: value.status, flags, detected, confirmed, reorged }
  return savePayment(tx, row, expired, { kind: 'timer', id: null })
}

/** Adds a line. Of too many, the first one and the newest ones stay. */
function withLine(
  history: readonly PaymentHistoryEntry[],
  line: PaymentHistoryEntry,
): readonly PaymentHistoryEntry[] {
  const [first, ...later] = [...history, line]
  if (first === undefined || later.length < HISTORY_KEPT) return [...history, line]
  return [first, ...later.slice(1 - HISTORY_KEPT)]
}

/** Returns the events of payments whose status or flags changed, with the deposits as they are now. */
export async function paymentEvents(tx: Transaction, saved: readonly SavedPayment[]): Promise<NewEvent[]> {
  const shown = saved.filter((each) => each.shown)
  if (shown.length === 0) return []
  const deposits = await depositsOfPayments(
    tx,
    shown.map(({ row }) => row.id),
  )
  return shown.map(({ row, before }) => paymentEvent(row, deposits.get(row.id) ?? [], before))
}
