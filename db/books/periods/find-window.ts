/** Finds the window of time of a period, and whether the period has begun. */

import { monthOf, periodAfter, periodAt, type Window } from '../../../domain/books/period.js'
import type { Queryable } from '../../connect.js'
import { findPeriodRow, type PeriodRow } from './period-row.js'

export interface FoundPeriod {
  readonly period: string
  readonly window: Window
  /** `null` for a period that is open and was never asked to close. */
  readonly row: PeriodRow | null
  /** Whether the period before is closed, or lies before the merchant's first one. */
  readonly followsClosed: boolean
}

/**
 * Returns a period with its window: that of the month, unless it or the one before was closed early. `null`
 * for a month before the merchant's first one.
 */
export async function findPeriod(
  sql: Queryable,
  merchantId: string,
  period: string,
): Promise<FoundPeriod | null> {
  const first = await firstPeriod(sql, merchantId)
  if (period < first) return null
  const row = await findPeriodRow(sql, merchantId, period)
  const before = await findPeriodRow(sql, merchantId, periodAfter(period, -1))
  const month = monthOf(period)
  const kept = row !== null && row.status !== 'open'
  return {
    period,
    row,
    window: {
      from: kept ? row.from_at : before?.status === 'closed' ? before.to_at : month.from,
      to: kept ? row.to_at : month.to,
    },
    followsClosed: period === first || before?.status === 'closed',
  }
}

/** Returns the month in which the merchant came. Its books have nothing before. */
export async function firstPeriod(sql: Queryable, merchantId: string): Promise<string> {
  const [row] = await sql<{ at: Date }[]>`SELECT created_at AS at FROM merchants WHERE id = ${merchantId}`
  if (!row) throw new Error(`Merchant ${merchantId} does not exist`)
  return periodAt(row.at)
}
