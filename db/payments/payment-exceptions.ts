/** Says which exceptions a change of a payment or of its deposits raises, and which causes it ends. */

import { GONE_DEPOSITS } from '../../domain/deposits/deposit-sets.js'
import { formatAmount } from '../../domain/money.js'
import { isPaymentFinal } from '../../domain/payments/payment-status.js'
import { closeCauses } from '../books/exceptions/close-cause.js'
import { type NewException, raiseExceptions } from '../books/exceptions/raise-exception.js'
import type { Transaction } from '../connect.js'
import type { NewEvent } from '../events/log/append-events.js'
import { sumDeposits } from './deposits-of-payments.js'
import type { PaymentRow } from './payment-row.js'
import type { SavedPayment } from './save-payment.js'

/** A deposit of a payment, as an exception shows it. */
export interface ExceptionalDeposit {
  readonly id: string
  readonly coin: string
  readonly txid: string
  /** Base units of its coin. */
  readonly amount: bigint
  /** `null` in no block. */
  readonly block_time: Date | null
  readonly detected_at: Date
}

/** Deposit that was seen for the first time, with its payment as it was before. */
export interface FreshDeposit {
  readonly payment: PaymentRow
  readonly deposit: ExceptionalDeposit
  /** Decimal places of its coin. */
  readonly decimals: number
  /** Base units of the payment's coin that are there without it. */
  readonly detectedBefore: bigint
}

/** Returns the exception about a deposit that was seen for the first time. `null` if it is as it should be. */
export function exceptionOfDeposit(fresh: FreshDeposit): NewException | null {
  const { payment, deposit } = fresh
  const shared = { ...sharedOf(payment), evidence: evidenceOf(payment, deposit, fresh.decimals) }
  if (deposit.coin !== payment.coin) {
    return {
      ...shared,
      kind: 'wrong_coin',
      cause: `wrong_coin:${deposit.id}`,
      reason:
        'Another coin was sent to the address of this payment; it is credited to the user and does not count for the payment',
      expected: payment.coin,
      actual: deposit.coin,
    }
  }
  if (isPaymentFinal(payment.status) || deposit.detected_at >= payment.expires_at) {
    return {
      ...shared,
      kind: 'late',
      cause: `late:${deposit.id}`,
      reason: isMinedInTime(payment, deposit)
        ? 'The block of this deposit is older than the end of its payment, but the platform saw it only afterwards; it is credited to the user, the payment stays as it is, and a person decides whether the payer was in time'
        : 'This deposit was first seen after its payment had ended; it is credited to the user, and the payment stays as it is',
      expected: `before ${payment.expires_at.toISOString()}`,
      actual: deposit.detected_at.toISOString(),
    }
  }
  if (payment.amount === null || fresh.detectedBefore < leastOf(payment, payment.amount)) return null
  return {
    ...shared,
    kind: 'duplicate',
    cause: `duplicate:${deposit.id}`,
    reason:
      'This payment was paid already, and was paid again; the second amount is credited to the user too',
    expected: shown(payment, payment.amount),
    actual: shown(payment, fresh.detectedBefore + deposit.amount),
  }
}

/** Returns the exception about a deposit that was gone when its payment ended, and came back afterwards. */
export function returnedLate(
  payment: PaymentRow,
  deposit: ExceptionalDeposit & { readonly updated_at: Date },
): NewException {
  return {
    ...sharedOf(payment),
    kind: 'late',
    cause: `late:${deposit.id}`,
    reason:
      'This deposit was seen in time, was gone when its payment ended, and came back afterwards; it is credited to the user, the payment stays as it is, and a person decides whether it counts',
    expected: `before ${payment.expires_at.toISOString()}`,
    actual: deposit.updated_at.toISOString(),
    evidence: evidenceOf(payment, deposit, payment.decimals),
  }
}

/**
 * Raises what changes of payments mean, and closes what they end.
 *
 * @param cause - Deposit that changed the payment. Absent where its timer did.
 * @returns The events, which the caller appends after those of the payments.
 */
export async function followChanges(
  tx: Transaction,
  saved: readonly SavedPayment[],
  causeOf: (paymentId: string) => ExceptionalDeposit | undefined = () => undefined,
): Promise<NewEvent[]> {
  const changed = saved.filter(({ before, row }) => before.status !== row.status)
  if (changed.length === 0) return []
  const confirmedAgain = changed.filter(({ row }) => row.status === 'confirmed' && row.reorged)
  await closeCauses(
    tx,
    confirmedAgain.map(({ row }) => ({
      merchantId: row.merchant_id,
      cause: `reorged:${row.id}`,
      evidence: { payment_status: row.status, deposit_id: causeOf(row.id)?.id ?? null },
    })),
  )
  const twice = await paidTwice(tx, changed)
  const late = await paidLate(tx, changed)
  const waits = await usualWaits(tx, changed.map(({ row }) => row).filter(isAfterEnd))
  return raiseExceptions(
    tx,
    changed.flatMap(({ before, row }) => {
      const found = [
        reorged(before, row, causeOf(row.id)),
        lateConfirmed(row, waits.get(row.id) ?? 0),
        twice.has(row.id) ? null : wrongAmount(row, late.get(row.id) ?? 0n),
      ]
      return found.filter((each) => each !== null)
    }),
  )
}

function reorged(
  before: PaymentRow,
  row: PaymentRow,
  deposit: ExceptionalDeposit | undefined,
): NewException | null {
  if (before.status !== 'confirmed') return null
  return {
    ...sharedOf(row),
    kind: 'reorged',
    cause: `reorged:${row.id}`,
    severity: 'critical',
    reason: 'The chain took back a payment that was confirmed',
    expected: 'confirmed',
    actual: row.status,
    evidence: deposit ? evidenceOf(row, deposit, row.decimals) : {},
  }
}

function isAfterEnd({ status, confirmed_at: at, expires_at: end }: PaymentRow): boolean {
  return status === 'confirmed' && at !== null && at > end
}

/** Returns, by payment, the milliseconds that the confirmations of its deposits usually take. */
async function usualWaits(
  tx: Transaction,
  payments: readonly PaymentRow[],
): Promise<ReadonlyMap<string, number>> {
  if (payments.length === 0) return new Map()
  const rows = await tx<{ payment_id: string; wait_ms: bigint }[]>`
    SELECT deposit.payment_id, max(deposit.required_confirmations * coalesce(known.block_time_ms, 0))::bigint AS wait_ms
    FROM deposits deposit
    LEFT JOIN known_coins known ON known.network = deposit.network AND known.name = deposit.coin
    WHERE deposit.payment_id = ANY (${payments.map((row) => row.id)})
    GROUP BY deposit.payment_id`
  return new Map(rows.map((row) => [row.payment_id, Number(row.wait_ms)]))
}

/**
 * A payment that was paid in time and confirmed later after its end than confirmations usually take: an order may have
 * been given up meanwhile.
 */
function lateConfirmed(row: PaymentRow, usualMs: number): NewException | null {
  const { confirmed_at: at, expires_at: end } = row
  if (!isAfterEnd(row) || row.reorged || at === null || at.getTime() <= end.getTime() + usualMs) return null
  return {
    ...sharedOf(row),
    kind: 'late_confirmed',
    cause: `late_confirmed:${row.id}`,
    reason:
      'This payment was paid in time, but it was confirmed much later after its end than confirmations usually take',
    expected: `before ${new Date(end.getTime() + usualMs).toISOString()}`,
    actual: at.toISOString(),
    evidence: { order_id: row.order_id, network: row.network, paid_at: row.paid_at?.toISOString() ?? null },
  }
}

/**
 * A payment that ended with an amount outside of its tolerance. What came late is not too much: it has an exception of
 * its own.
 */
function wrongAmount(row: PaymentRow, late: bigint): NewException | null {
  const { amount, amount_detected: detected } = row
  if (amount === null) return null
  const isShort = row.status === 'expired' && detected > 0n && detected < leastOf(row, amount)
  const isLong = row.status === 'confirmed' && detected - late > amount + row.allowance
  if (!isShort && !isLong) return null
  return {
    ...sharedOf(row),
    kind: 'wrong_amount',
    detail: isShort ? 'payment.underpaid' : 'payment.overpaid',
    cause: `wrong_amount:${row.id}`,
    reason: isShort
      ? 'This payment ended with less than its amount; what came is credited to the user'
      : 'More than the amount of this payment came; all of it is credited to the user',
    expected: shown(row, amount),
    actual: shown(row, detected),
    evidence: { order_id: row.order_id, network: row.network, allowance: shown(row, row.allowance) },
  }
}

/** Returns the payments that were paid twice: what is too much is another exception. */
async function paidTwice(tx: Transaction, changed: readonly SavedPayment[]): Promise<ReadonlySet<string>> {
  const ids = changed.filter(({ row }) => row.flags.includes('multiple_deposits')).map(({ row }) => row.id)
  if (ids.length === 0) return new Set()
  const merchants = [...new Set(changed.map(({ row }) => row.merchant_id))]
  const rows = await tx<{ payment_id: string }[]>`
    SELECT payment_id FROM exceptions
    WHERE merchant_id = ANY (${merchants}) AND payment_id = ANY (${ids}) AND kind = 'duplicate'`
  return new Set(rows.map((row) => row.payment_id))
}

/** Returns the base units of each payment that came late and are there. */
async function paidLate(
  tx: Transaction,
  changed: readonly SavedPayment[],
): Promise<ReadonlyMap<string, bigint>> {
  const rows = changed.map(({ row }) => row).filter(({ flags }) => flags.includes('late'))
  if (rows.length === 0) return new Map()
  const deposits = await sumDeposits(
    tx,
    rows.map(({ id }) => id),
  )
  return new Map(
    rows.map(({ id, coin }) => [
      id,
      (deposits.get(id) ?? [])
        .filter((each) => each.late && each.coin === coin && !GONE_DEPOSITS[each.status] && !each.rejected)
        .reduce((total, { amount }) => total + amount, 0n),
    ]),
  )
}

function sharedOf(payment: PaymentRow) {
  return {
    merchantId: payment.merchant_id,
    subject: { type: 'payment', id: payment.id },
    paymentId: payment.id,
    userReference: payment.user_reference,
  }
}

function evidenceOf(payment: PaymentRow, deposit: ExceptionalDeposit, decimals: number) {
  return {
    order_id: payment.order_id,
    network: payment.network,
    deposit_id: deposit.id,
    transaction_hash: deposit.txid,
    coin: deposit.coin,
    amount: formatAmount(deposit.amount, decimals),
    detected_at: deposit.detected_at.toISOString(),
    block_time: deposit.block_time?.toISOString() ?? null,
    expires_at: payment.expires_at.toISOString(),
  }
}

function isMinedInTime(payment: PaymentRow, { block_time: time }: ExceptionalDeposit): boolean {
  const { expires_at: expiry, ended_at: ended } = payment
  const end = ended !== null && ended < expiry ? ended : expiry
  return time !== null && time < end
}

/** Returns the least sum that satisfies a payment, in base units. */
function leastOf({ allowance }: PaymentRow, amount: bigint): bigint {
  const least = amount - allowance
  return least > 1n ? least : 1n
}

function shown({ decimals, coin }: PaymentRow, units: bigint): string {
  return `${formatAmount(units, decimals)} ${coin}`
}
