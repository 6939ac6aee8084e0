/** Makes the input of a job's workflow, and finds jobs whose workflow was not started. */

import type { Queryable } from '../../connect.js'
import { notPutOff } from '../../operations/sweep-failures.js'
import type { ExportJobRow } from './job-row.js'

/** The input, as `ExportInput` of `temporal/inputs.ts`. */
export interface ExportStart {
  readonly id: string
  readonly merchantId: string
  readonly title: string
}

/** Most that one sweep takes. The next sweep takes the next. */
const MOST = 500

/** Returns the input that belongs to a row. */
export function toExportStart({
  id,
  merchant_id,
  dataset,
  format,
}: Pick<ExportJobRow, 'id' | 'merchant_id' | 'dataset' | 'format'>): ExportStart {
  return { id, merchantId: merchant_id, title: `${dataset} as ${format}` }
}

/**
 * Returns the oldest jobs whose workflow was not started (the API was cut short, or Temporal was down), and
 * open ones that have neither moved nor been checked, whose workflow may be gone.
 *
 * @param olderThanMs - Minimum age, so that the API's own start is not disturbed.
 * @param unseenMs - Minimum time since it moved, or was found running.
 */
export async function unstartedExports(
  sql: Queryable,
  olderThanMs: number,
  unseenMs: number,
): Promise<ExportStart[]> {
  const rows = await sql<ExportJobRow[]>`
    SELECT * FROM export_jobs job
    WHERE status IN ('queued', 'running')
      AND (workflow_started_at IS NULL AND created_at < clock_timestamp() - ${olderThanMs} * interval '1 millisecond'
           OR greatest(workflow_started_at, workflow_seen_at, updated_at)
              < clock_timestamp() - ${unseenMs} * interval '1 millisecond')
      AND ${notPutOff(sql, 'job.id')}
    ORDER BY greatest(workflow_seen_at, created_at) LIMIT ${MOST}`
  return rows.map(toExportStart)
}

/** Marks that the workflow of a job exists, so that the sweeper leaves it alone for a while. */
export async function markExportStarted(sql: Queryable, id: string): Promise<void> {
  await sql`
    UPDATE export_jobs SET workflow_started_at = coalesce(workflow_started_at, clock_timestamp()),
      workflow_seen_at = clock_timestamp()
    WHERE id = ${id}`
}
