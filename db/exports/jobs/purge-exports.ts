/** Deletes the files of exports that have been kept long enough. */

import { inTransaction, type Sql } from '../../connect.js'

/** Most that one sweep deletes. The next sweep deletes the next. */
const MOST = 50

/** Deletes them. The jobs stay, with their manifests. @returns How many files were deleted. */
export async function purgeExports(sql: Sql, retentionMs: number): Promise<number> {
  return inTransaction(sql, async (tx) => {
    const rows = await tx<{ id: string }[]>`
      UPDATE export_jobs SET purged_at = clock_timestamp(), stored_bytes = 0
      WHERE id IN (
        SELECT id FROM export_jobs
        WHERE purged_at IS NULL AND finished_at < clock_timestamp() - ${retentionMs} * interval '1 millisecond'
        LIMIT ${MOST} FOR UPDATE SKIP LOCKED)
      RETURNING id`
    if (rows.length === 0) return 0
    await tx`DELETE FROM export_parts WHERE export_id = ANY (${rows.map(({ id }) => id)})`
    return rows.length
  })
}
