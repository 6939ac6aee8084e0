/** Moves the payments whose deposits just changed, in the transaction of that change. */

import { GONE_DEPOSITS } from '../../domain/deposits/deposit-sets.js'
import { formatAmount } from '../../domain/money.js'
import { isPaymentFinal } from '../../domain/payments/payment-status.js'
import { closeCause } from '../books/exceptions/close-cause.js'
import { type NewException, raiseExceptions } from '../books/exceptions/raise-exception.js'
import { iso, type Transaction } from '../connect.js'
import type { NewEvent } from '../events/log/append-events.js'
import { members } from '../members.js'
import { sumDeposits } from './deposits-of-payments.js'
import { type LockedPayment, lockPayments } from './payment-row.js'
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
  const exceptions: NewException[] = []
  for (const payment of payments) {
    const value = evaluate(payment, sums.get(payment.id) ?? [])
    const cause = causes.get(payment.id)
    const expired = await saveExpiry(tx, payment, value)
    if (expired) saved.push(expired)
    const row = { ...payment, ...expired?.row }
    const written = await savePayment(tx, row, value, { kind, id: cause?.id ?? null })
    saved.push(written)
    if (cause && payment.status === 'confirmed' && written.row.status !== 'confirmed') {
      exceptions.push(exception('reorged', payment, cause, payment.decimals))
    }
    if (payment.reorged && payment.status !== 'confirmed' && written.row.status === 'confirmed') {
      await closeCause(tx, payment.merchant_id, `reorged:${payment.id}`, { deposit_id: cause?.id ?? null })
    }
  }
  // A person examines each late or wrong deposit, also the second one.
  const decimals = await decimalsOf(tx, fresh)
  for (const { payment, deposit } of fresh) {
    if (deposit.coin !== payment.coin) {
      exceptions.push(exception('wrong_coin', payment, deposit, decimals.get(deposit.coin) ?? 0))
    } else if (isLate(payment, deposit)) {
      exceptions.push(exception('late', payment, deposit, payment.decimals))
    }
  }
  for (const { payment, deposit } of back)
    exceptions.push(exception('late', payment, deposit, payment.decimals, true))
  return [...(await paymentEvents(tx, saved)), ...(await raiseExceptions(tx, exceptions))]
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

function isLate(payment: LockedPayment, deposit: ChangedDeposit): boolean {
  return isPaymentFinal(payment.status) || deposit.detected_at >= payment.expires_at
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

const MESSAGES = {
  late: 'This deposit was first seen after its payment had ended; it is credited to the user, and the payment stays as it is',
  seen_late:
    'The block of this deposit is older than the end of its payment, but the platform saw it only afterwards; it is credited to the user, the payment stays as it is, and a person decides whether the payer was in time',
  returned:
    'This deposit was seen in time, was gone when its payment ended, and came back afterwards; it is credited to the user, the payment stays as it is, and a person decides whether it counts',
  wrong_coin:
    'Another coin was sent to the address of this payment; it is credited to the user and does not count for the payment',
  reorged: 'The chain took back a payment that was confirmed',
} as const

function exception(
  kind: 'late' | 'wrong_coin' | 'reorged',
  payment: LockedPayment,
  deposit: ChangedDeposit,
  decimals: number,
  returned = false,
): NewException {
  const { expires_at: expiry, ended_at: ended } = payment
  const end = ended !== null && ended < expiry ? ended : expiry
  const isMinedBefore = kind === 'late' && deposit.block_time !== null && deposit.block_time < end
  return {
    merchantId: payment.merchant_id,
    kind,
    cause: `${kind}:${kind === 'reorged' ? payment.id : deposit.id}`,
    ...(kind === 'reorged' ? { severity: 'critical' as const } : {}),
    subject: { type: 'payment', id: payment.id },
    reason: MESSAGES[returned ? 'returned' : isMinedBefore ? 'seen_late' : kind],
    ...VALUES[kind](payment, deposit),
    ...(returned ? { actual: deposit.updated_at.toISOString() } : {}),
    paymentId: payment.id,
    userReference: payment.user_reference,
    evidence: {
      order_id: payment.order_id,
      network: payment.network,
      deposit_id: deposit.id,
      transaction_hash: deposit.txid,
      coin: deposit.coin,
      amount: formatAmount(deposit.amount, decimals),
      detected_at: deposit.detected_at.toISOString(),
      block_time: deposit.block_time?.toISOString() ?? null,
      expires_at: expiry.toISOString(),
    },
  }
}

type Values = Pick<NewException, 'expected' | 'actual'>

/** What should be and what is, by kind. */
const VALUES: Readonly<
  Record<
    keyof typeof MESSAGES & NewException['kind'],
    (payment: LockedPayment, deposit: ChangedDeposit) => Values
  >
> = {
  late: (payment, deposit) => ({
    expected: `before ${payment.expires_at.toISOString()}`,
    actual: deposit.detected_at.toISOString(),
  }),
  wrong_coin: (payment, deposit) => ({ expected: payment.coin, actual: deposit.coin }),
  reorged: () => ({ expected: 'confirmed', actual: 'not confirmed' }),
}
