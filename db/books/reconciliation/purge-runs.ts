/** Deletes runs of the reconciliation that have been kept long enough, with what they found. */

import type { Sql } from '../../connect.js'
import { purgeInPages } from '../../purge-in-pages.js'

/** Runs that one transaction deletes. */
const PAGE = 20

/** Place of a run in the order in which they ended. */
interface Place {
  readonly finished_at: string
  readonly id: string
}

/**
 * Deletes them with `purgeInPages`. These stay: the run that a close waited for, the newest complete one of each
 * merchant, which the checklist of a close reads, and one that an exception names which is not resolved.
 *
 * @returns How many were deleted.
 */
export async function purgeRuns(sql: Sql, retentionMs: number): Promise<number> {
  return await purgeInPages<Place>(sql, 'runs', async (tx, after) => {
    const runs = await tx<Place[]>`
      SELECT finished_at::text, id FROM reconciliation_runs run
      WHERE finished_at < clock_timestamp() - ${retentionMs} * interval '1 millisecond'
        AND (finished_at, id) > (${after?.finished_at ?? '-infinity'}::text::timestamptz, ${after?.id ?? ''})
        AND NOT EXISTS (SELECT FROM periods WHERE periods.run_id = run.id)
        AND NOT EXISTS (
          SELECT FROM exceptions
          WHERE merchant_id = run.merchant_id AND status <> 'resolved' AND evidence ->> 'run_id' = run.id)
        AND id <> coalesce((
          SELECT id FROM reconciliation_runs newest
          WHERE newest.merchant_id = run.merchant_id AND newest.status IN ('clean', 'differences')
          ORDER BY newest.id DESC LIMIT 1), '')
      ORDER BY finished_at, id LIMIT ${PAGE}`
    const ids = runs.map(({ id }) => id)
    await tx`DELETE FROM reconciliation_differences WHERE run_id = ANY (${ids})`
    await tx`DELETE FROM reconciliation_checks WHERE run_id = ANY (${ids})`
    await tx`DELETE FROM reconciliation_runs WHERE id = ANY (${ids})`
    return { purged: ids.length, next: runs.at(-1) ?? null }
  })
}
