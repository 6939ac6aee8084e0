/** Finds export jobs of a merchant. */

import type { Queryable } from '../../connect.js'
import type { Slice } from '../../slice.js'
import type { ExportJobRow } from './job-row.js'

/** Returns a job of the merchant. `null` if there is none. */
export async function findExportJob(
  sql: Queryable,
  merchantId: string,
  id: string,
): Promise<ExportJobRow | null> {
  const [row] = await sql<ExportJobRow[]>`
    SELECT * FROM export_jobs WHERE id = ${id} AND merchant_id = ${merchantId}`
  return row ?? null
}

/** Lists the jobs of a merchant, newest first. */
export async function listExportJobs(
  sql: Queryable,
  merchantId: string,
  slice: Slice,
): Promise<ExportJobRow[]> {
  return sql<ExportJobRow[]>`
    SELECT * FROM export_jobs
    WHERE merchant_id = ${merchantId} ${slice.before === null ? sql`` : sql`AND id < ${slice.before}`}
    ORDER BY id DESC OFFSET ${slice.offset} LIMIT ${slice.take}`
}

/** Returns a job whose file can be read, for a reader who holds a link. `null` if there is none. */
export async function findExportFile(sql: Queryable, id: string): Promise<ExportJobRow | null> {
  const [row] = await sql<ExportJobRow[]>`
    SELECT * FROM export_jobs WHERE id = ${id} AND status = 'done' AND purged_at IS NULL`
  return row ?? null
}
