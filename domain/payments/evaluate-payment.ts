/** Computes the status, flags and sums of a payment from its deposits. Nothing is counted up. */

import { GONE_DEPOSITS } from '../deposits/deposit-sets.js'
import type { DepositStatus } from '../deposits/deposit-status.js'
import { isPaymentFinal, PAYMENT_FLAGS, type PaymentFlag, type PaymentStatus } from './payment-status.js'

/**
 * Time after the expiry for which a payment waits for a deposit that a reorg took back, because its
 * transaction is usually mined again within minutes.
 */
export const REORG_PATIENCE_MS = 86_400_000

export interface PaymentTerms {
  readonly coin: string
  /** Base units. `null` accepts any amount. */
  readonly amount: bigint | null
  /** Base units by which the amount may be missed. */
  readonly allowance: bigint
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** Deposits that carry the payment's id and are alike: one, or the sum of many. */
export interface PaymentDeposit {
  readonly coin: string
  /** Base units of its own coin, of all of them. */
  readonly amount: bigint
  /** Number of deposits. */
  readonly count: number
  readonly status: DepositStatus
  /** Whether a person rejected them after screening had held them. */
  readonly rejected: boolean
  /** Whether they were first seen at the end of the payment or later. */
  readonly late: boolean
}

/** What does not follow from the deposits. */
export interface PaymentPast {
  readonly status: PaymentStatus
  readonly reorged: boolean
  readonly reissued: boolean
}

export interface PaymentValue {
  readonly status: PaymentStatus
  /** In the order of `PAYMENT_FLAGS`. */
  readonly flags: readonly PaymentFlag[]
  /** Base units that were seen and are neither gone nor rejected. */
  readonly detected: bigint
  /** Base units that were credited to the user. */
  readonly confirmed: bigint
  readonly reorged: boolean
}

/**
 * Computes what a payment is at a time. A deposit counts as detected from its first sighting until it is
 * replaced, reverted or rejected, and as confirmed once it is credited, so not while screening holds it.
 *
 * @param now - Milliseconds since the epoch.
 */
export function evaluatePayment(
  terms: PaymentTerms,
  past: PaymentPast,
  deposits: readonly PaymentDeposit[],
  now: number,
): PaymentValue {
  const own = deposits.filter((each) => each.coin === terms.coin)
  const live = own.filter(counts)
  const isLate = (each: PaymentDeposit) => past.status === 'cancelled' || each.late
  const inTime = live.filter((each) => !isLate(each))
  const detected = sum(live)
  const confirmed = sum(live.filter(isCredited))
  const least = leastOf(terms)

  const status = statusOf()
  const reorged = past.reorged || (past.status === 'confirmed' && status !== 'confirmed')
  const holds: Readonly<Record<PaymentFlag, boolean>> = {
    underpaid: terms.amount !== null && detected > 0n && detected < least,
    overpaid: terms.amount !== null && detected > terms.amount,
    late: live.some(isLate),
    reorged,
    multiple_deposits: live.reduce((total, { count }) => total + count, 0) > 1,
    wrong_coin: deposits.some((each) => each.coin !== terms.coin && counts(each)),
    reissued: past.reissued,
  }
  return { status, flags: PAYMENT_FLAGS.filter((flag) => holds[flag]), detected, confirmed, reorged }

  function statusOf(): PaymentStatus {
    if (isPaymentFinal(past.status)) return past.status
    if (sum(inTime.filter(isCredited)) >= least) return 'confirmed'
    if (sum(inTime) >= least) return 'paid'
    if (now < terms.expiresAt) return 'pending'
    const mayReturn = own.some((each) => each.status === 'reverted' && !isLate(each))
    return mayReturn && now < terms.expiresAt + REORG_PATIENCE_MS ? 'pending' : 'expired'
  }
}

/** Returns the least sum, in base units, that satisfies the terms. An open payment takes any amount. */
function leastOf({ amount, allowance }: PaymentTerms): bigint {
  if (amount === null) return 1n
  const least = amount - allowance
  return least > 1n ? least : 1n
}

function counts({ status, rejected }: PaymentDeposit): boolean {
  return !GONE_DEPOSITS[status] && !rejected
}

function isCredited({ status }: PaymentDeposit): boolean {
  return status === 'success'
}

function sum(deposits: readonly PaymentDeposit[]): bigint {
  return deposits.reduce((total, each) => total + each.amount, 0n)
}
