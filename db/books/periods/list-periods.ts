/** Lists the periods of a merchant, also those that were never asked to close. */

import { monthOf, periodAfter, periodAt, type Window } from '../../../domain/books/period.js'
import type { PeriodStatus } from '../../../domain/books/period-books.js'
import type { Queryable } from '../../connect.js'
import type { Slice } from '../../slice.js'
import { firstPeriod } from './find-window.js'
import type { PeriodRow } from './period-row.js'

export interface ListedPeriod {
  readonly period: string
  readonly status: PeriodStatus
  readonly window: Window
  readonly hash: string | null
  readonly closedAt: Date | null
}

/**
 * Returns periods, the newest first: from the merchant's first month to the present one, or to the one after
 * the last that was closed. There are twelve a year, so all are read.
 */
export async function listPeriods(
  sql: Queryable,
  merchantId: string,
  status: PeriodStatus | undefined,
  { before, offset, take }: Slice,
): Promise<ListedPeriod[]> {
  const first = await firstPeriod(sql, merchantId)
  const rows = new Map(
    (await sql<PeriodRow[]>`SELECT * FROM periods WHERE merchant_id = ${merchantId}`).map((row) => [
      row.period,
      row,
    ]),
  )
  const periods: ListedPeriod[] = []
  for (let period = first; ; period = periodAfter(period)) {
    const row = rows.get(period)
    const last = periods.at(-1)
    if (period > periodAt(new Date()) && row === undefined && last?.status !== 'closed') break
    const kept = row !== undefined && row.status !== 'open' ? row : null
    periods.push({
      period,
      status: row?.status ?? 'open',
      window: {
        from: kept?.from_at ?? (last?.status === 'closed' ? last.window.to : monthOf(period).from),
        to: kept?.to_at ?? monthOf(period).to,
      },
      hash: row?.hash ?? null,
      closedAt: row?.closed_at ?? null,
    })
  }
  return periods
    .reverse()
    .filter(
      (each) => (status === undefined || each.status === status) && (before === null || each.period < before),
    )
    .slice(offset, offset + take)
}
