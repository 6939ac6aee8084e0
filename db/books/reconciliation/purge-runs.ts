/** Deletes runs of the reconciliation that have been kept long enough, with what they found. */

import { inTransaction, type Sql } from '../../connect.js'

/** Most that one call deletes. The next call deletes the next. */
const MOST = 500

/**
 * Deletes them, each in a transaction of its own. These stay: the run that a close waited for, the newest complete
 * one of each merchant, which the checklist of a close reads, and one that an exception names which is not resolved.
 *
 * @returns How many were deleted.
 */
export async function purgeRuns(sql: Sql, retentionMs: number): Promise<number> {
  const runs = await sql<{ id: string }[]>`
    SELECT id FROM reconciliation_runs run
    WHERE finished_at < clock_timestamp() - ${retentionMs} * interval '1 millisecond'
      AND NOT EXISTS (SELECT FROM periods WHERE periods.run_id = run.id)
      AND NOT EXISTS (
        SELECT FROM exceptions
        WHERE merchant_id = run.merchant_id AND status <> 'resolved' AND evidence ->> 'run_id' = run.id)
      AND id <> coalesce((
        SELECT id FROM reconciliation_runs newest
        WHERE newest.merchant_id = run.merchant_id AND newest.status IN ('clean', 'differences')
        ORDER BY newest.id DESC LIMIT 1), '')
    ORDER BY finished_at LIMIT ${MOST}`
  for (const { id } of runs) {
    await inTransaction(sql, async (tx) => {
      await tx`DELETE FROM reconciliation_differences WHERE run_id = ${id}`
      await tx`DELETE FROM reconciliation_checks WHERE run_id = ${id}`
      await tx`DELETE FROM reconciliation_runs WHERE id = ${id}`
    })
  }
  return runs.length
}
