/** Reads the journals of a window that belong to an earlier, closed period by their cause. */

import type { Window } from '../../../domain/books/period.js'
import { iso, type Queryable } from '../../connect.js'

export interface AdjustmentRow {
  readonly journal_id: string
  readonly type: string
  readonly reference: string
  readonly network: string | null
  readonly recorded_at: string
}

export interface Adjustments {
  /** The oldest first. */
  readonly rows: readonly AdjustmentRow[]
  /** All that there are, also beyond `most`. */
  readonly total: number
}

/** Reads and counts them. @param most - Rows that are read. Default: all. */
export async function readAdjustments(
  sql: Queryable,
  merchantId: string,
  { from, to }: Window,
  most: number | null = null,
): Promise<Adjustments> {
  const rows = await sql<(AdjustmentRow & { total: bigint })[]>`
    SELECT journal.id::text AS journal_id, journal.type, journal.reference, journal.network,
           ${iso(sql, 'recorded_at')} AS recorded_at, noted.total
    FROM (
      SELECT journal_id, recorded_at, count(*) OVER () AS total FROM standing_adjustments
      WHERE merchant_id = ${merchantId} AND recorded_at >= ${from} AND recorded_at < ${to}
      ORDER BY journal_id LIMIT ${most}
    ) noted
    JOIN LATERAL (
      SELECT id, type, reference, network FROM ledger_journals WHERE id = noted.journal_id
    ) journal ON true
    ORDER BY journal.id`
  return {
    rows: rows.map(({ total: _, ...row }) => row),
    total: Number(rows[0]?.total ?? 0n),
  }
}
