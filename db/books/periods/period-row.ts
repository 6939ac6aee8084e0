/** Declares a row of `periods`, and locks the periods of a merchant. */

import type {
  ChecklistItem,
  PeriodStatus,
  ProofBlock,
  TrialBalanceLine,
} from '../../../domain/books/period-books.js'
import type { Queryable, Transaction } from '../../connect.js'

/** Line of a stored statement: amounts are base units in digits. */
export interface StoredLine {
  readonly network: string
  readonly coin: string
  readonly opening: string
  readonly in: string
  readonly out: string
  readonly fees: string
  readonly transfers: string
  readonly adjustments: string
  readonly closing: string
}

/** What the chain holds beside the closing: base units in digits. */
export interface StoredOutside {
  readonly network: string
  readonly coin: string
  readonly amount: string
}

export interface PeriodRow {
  readonly merchant_id: string
  readonly period: string
  readonly status: PeriodStatus
  readonly change_id: string | null
  /** Reconciliation that the newest request waits for. `null` for a period that was never asked to close. */
  readonly run_id: string | null
  readonly from_at: Date
  readonly to_at: Date
  readonly checklist: readonly ChecklistItem[]
  readonly trial_balance: readonly TrialBalanceLine[] | null
  readonly proof: readonly ProofBlock[] | null
  readonly hash: string | null
  readonly statement: readonly StoredLine[] | null
  /** Empty until closed. */
  readonly outside_books: readonly StoredOutside[]
  readonly closed_at: Date | null
}

/** Reads the row of a period. `null` without one: the period is open and was never asked to close. */
export async function findPeriodRow(
  sql: Queryable,
  merchantId: string,
  period: string,
): Promise<PeriodRow | null> {
  const [row] = await sql<PeriodRow[]>`
    SELECT * FROM periods WHERE merchant_id = ${merchantId} AND period = ${period}`
  return row ?? null
}

/** Locks the periods of a merchant until the transaction ends. Every change of a period is made under this lock. */
export async function lockPeriods(tx: Transaction, merchantId: string): Promise<void> {
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${`periods of ${merchantId}`}, 0))`
}
