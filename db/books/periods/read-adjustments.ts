/** Reads the journals of a window that belong to an earlier, closed period by their cause. */

import type { Window } from '../../../domain/books/period.js'
import { iso, type Queryable } from '../../connect.js'

/** Most journals that are listed. The ledger's export has all. */
const MOST = 1_000

export interface AdjustmentRow {
  readonly journal_id: bigint
  readonly type: string
  readonly reference: string
  readonly network: string | null
  readonly recorded_at: string
}

/** Lists them, the oldest first, at most 1,000. */
export async function readAdjustments(
  sql: Queryable,
  merchantId: string,
  { from, to }: Window,
): Promise<AdjustmentRow[]> {
  return await sql<AdjustmentRow[]>`
    SELECT journal.id AS journal_id, journal.type, journal.reference, journal.network,
           ${iso(sql, 'recorded_at')} AS recorded_at
    FROM (
      SELECT journal_id, recorded_at FROM standing_adjustments WHERE merchant_id = ${merchantId}
    ) noted
    JOIN LATERAL (
      SELECT id, type, reference, network FROM ledger_journals WHERE id = noted.journal_id
    ) journal ON true
    WHERE noted.recorded_at >= ${from} AND noted.recorded_at < ${to}
    ORDER BY journal.id LIMIT ${MOST}`
}
