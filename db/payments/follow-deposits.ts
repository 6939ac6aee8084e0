/** Moves the payments whose deposits just changed, in the transaction of that change. */

import { GONE_DEPOSITS } from '../../domain/deposits/deposit-sets.js'
import { isPaymentFinal } from '../../domain/payments/payment-status.js'
import { type NewException, raiseExceptions } from '../books/exceptions/raise-exception.js'
import { iso, type Transaction } from '../connect.js'
import type { NewEvent } from '../events/log/append-events.js'
import { members } from '../members.js'
import { sumDeposits } from './deposits-of-payments.js'
import { exceptionOfDeposit, followChanges, returnedLate } from './payment-exceptions.js'
import { type LockedPayment, lockPayments } from './payment-row.js'
import { returnedExceptions } from './returned-exceptions.js'
import { evaluate, paymentEvents, type SavedPayment, saveExpiry, savePayment } from './save-payment.js'

/** What a change of a deposit has to say. */
export interface ChangedDeposit {
  readonly id: string
  readonly payment_id: string | null
  readonly network: string
  readonly coin: string
  readonly txid: string
  /** Base units of its coin. */
  readonly amount: bigint
  /** `null` in no block. */
  readonly block_time: Date | null
  readonly detected_at: Date
  readonly updated_at: Date
}

/**
 * Computes each payment of the deposits again and writes those that changed. Deposits without a payment cost
 * nothing.
 *
 * @param changed - Deposits as they were written, in this transaction and before this call.
 * @param kind - What changed the deposits: the chain as it grew, or a reorg.
 * @returns Events, which the caller appends after those of the deposits.
 */
export async function followDeposits(
  tx: Transaction,
  changed: readonly ChangedDeposit[],
  kind: 'deposit' | 'reorg' = 'deposit',
): Promise<NewEvent[]> {
  const causes = new Map<string, ChangedDeposit>()
  for (const row of changed) if (row.payment_id !== null) causes.set(row.payment_id, row)
  if (causes.size === 0) return []
  const payments = await lockPayments(tx, [...causes.keys()])
  const fresh = freshOf(payments, changed)
  await markAfterEnd(tx, fresh)
  const back = await markReturned(tx, payments, changed)
  const sums = await sumDeposits(tx, [...causes.keys()])
  const saved: SavedPayment[] = []
  const detected = new Map<string, bigint>()
  for (const payment of payments) {
    const value = evaluate(payment, sums.get(payment.id) ?? [])
    detected.set(payment.id, value.detected)
    const expired = await saveExpiry(tx, payment, value)
    if (expired) saved.push(expired)
    const row = { ...payment, ...expired?.row }
    saved.push(await savePayment(tx, row, value, { kind, id: causes.get(payment.id)?.id ?? null }))
  }
  // A deposit that this transaction saw first never was gone.
  const known = new Set(
    changed
      .filter((each) => !fresh.some(({ deposit }) => deposit.id === each.id))
      .map((each) => each.payment_id),
  )
  const again = await returnedExceptions(
    tx,
    saved.map(({ row }) => row).filter(({ id }) => known.has(id)),
  )
  return [
    ...(await paymentEvents(tx, saved)),
    ...(await raiseExceptions(tx, [
      ...(await exceptionsOf(tx, fresh, detected)),
      ...back.map(({ payment, deposit }) => returnedLate(payment, deposit)),
      ...again,
    ])),
    ...(await followChanges(tx, saved, (id) => causes.get(id))),
  ]
}

/** Returns an exception for each deposit that is not as it should be, also for the second one of a payment. */
async function exceptionsOf(
  tx: Transaction,
  fresh: readonly Fresh[],
  detected: ReadonlyMap<string, bigint>,
): Promise<NewException[]> {
  const decimals = await decimalsOf(tx, fresh)
  const left = new Map(detected)
  // What is there without the deposits that are new.
  for (const { payment, deposit } of fresh) {
    if (deposit.coin !== payment.coin) continue
    left.set(payment.id, (left.get(payment.id) ?? 0n) - deposit.amount)
  }
  return fresh.flatMap(({ payment, deposit }) => {
    const detectedBefore = left.get(payment.id) ?? 0n
    if (deposit.coin === payment.coin) left.set(payment.id, detectedBefore + deposit.amount)
    const found = exceptionOfDeposit({
      payment,
      deposit,
      detectedBefore,
      decimals: deposit.coin === payment.coin ? payment.decimals : (decimals.get(deposit.coin) ?? 0),
    })
    return found === null ? [] : [found]
  })
}

/** Deposit that this transaction saw for the first time, with its payment as it was before. */
interface Fresh {
  readonly payment: LockedPayment
  readonly deposit: ChangedDeposit
}

function freshOf(payments: readonly LockedPayment[], changed: readonly ChangedDeposit[]): Fresh[] {
  const byId = new Map(payments.map((payment) => [payment.id, payment]))
  const seen = new Set<string>()
  return changed.flatMap((deposit) => {
    const payment = byId.get(deposit.payment_id ?? '')
    if (!payment || seen.has(deposit.id)) return []
    seen.add(deposit.id)
    return deposit.detected_at.getTime() === deposit.updated_at.getTime() ? [{ payment, deposit }] : []
  })
}

/**
 * Marks deposits that were seen in time, but whose payment ended before their transaction could lock it. They
 * are late, because the end is final.
 */
async function markAfterEnd(tx: Transaction, fresh: readonly Fresh[]): Promise<void> {
  const ids = fresh.filter(({ payment }) => isPaymentFinal(payment.status)).map(({ deposit }) => deposit.id)
  if (ids.length > 0) await tx`UPDATE deposits SET after_end = true WHERE id = ANY (${ids})`
}

/**
 * Marks deposits that were seen in time, were gone when their payment ended (replaced, or taken back by a reorg), and
 * have come back in this transaction. They are late too, or no person would learn that an ended payment was paid.
 *
 * @returns Those that it marked.
 */
async function markReturned(
  tx: Transaction,
  payments: readonly LockedPayment[],
  changed: readonly ChangedDeposit[],
): Promise<Fresh[]> {
  const ended = new Map(
    payments.filter(({ status }) => isPaymentFinal(status)).map((each) => [each.id, each]),
  )
  const theirs = changed.filter(({ payment_id: id }) => id !== null && ended.has(id))
  if (theirs.length === 0) return []
  const marked = await tx<{ id: string }[]>`
    UPDATE deposits deposit SET after_end = true
    FROM payments payment
    WHERE deposit.id = ANY (${theirs.map(({ id }) => id)}) AND payment.id = deposit.payment_id
      AND deposit.coin = payment.coin AND NOT deposit.after_end AND deposit.detected_at < payment.expires_at
      AND deposit.status NOT IN ${members(tx, GONE_DEPOSITS)}
      AND EXISTS (
        SELECT FROM (
          SELECT line ->> 'status' AS status, lead(line ->> 'at') OVER (ORDER BY number) AS next_at
          FROM jsonb_array_elements(deposit.history) WITH ORDINALITY AS step (line, number)
        ) step
        WHERE step.status IN ${members(tx, GONE_DEPOSITS)} AND step.next_at = ${iso(tx, 'deposit.updated_at')})
    RETURNING deposit.id`
  const ids = new Set(marked.map(({ id }) => id))
  return theirs.flatMap((deposit) => {
    const payment = ended.get(deposit.payment_id ?? '')
    return payment && ids.delete(deposit.id) ? [{ payment, deposit }] : []
  })
}

/** Returns the decimal places of the coins that are not those of their payments. */
async function decimalsOf(
  tx: Transaction,
  fresh: readonly Fresh[],
): Promise<ReadonlyMap<string, number | null>> {
  const other = fresh.filter(({ payment, deposit }) => deposit.coin !== payment.coin)
  const [first] = other
  if (!first) return new Map()
  const rows = await tx<{ name: string; decimals: number }[]>`
    SELECT name, decimals FROM known_coins
    WHERE network = ${first.deposit.network} AND name = ANY (${other.map(({ deposit }) => deposit.coin)})`
  return new Map(rows.map((row) => [row.name, row.decimals]))
}
