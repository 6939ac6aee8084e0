/** Makes the input of a rescan's workflow, and finds rescans whose workflow was not started. */

import type { Queryable } from '../../connect.js'
import { OPERATOR } from '../../merchants/operator.js'
import { notPutOff } from '../../operations/sweep-failures.js'
import type { RescanRow } from './rescan-row.js'

/** The input, as `RescanInput` of `temporal/inputs.ts`. */
export interface RescanStart {
  readonly id: string
  readonly merchantId: string
  readonly network: string
}

/** Most that one sweep takes. The next sweep takes the next. */
const MOST = 100

/** Returns the input that belongs to a row. */
export function toRescanStart({ id, network }: Pick<RescanRow, 'id' | 'network'>): RescanStart {
  return { id, network, merchantId: OPERATOR }
}

/**
 * Returns rescans whose workflow was not started, and open ones that have neither moved nor been checked.
 *
 * @param olderThanMs - Minimum age, so that the API's own start is not disturbed.
 * @param unseenMs - Minimum time since it moved, or was found running.
 */
export async function unstartedRescans(
  sql: Queryable,
  olderThanMs: number,
  unseenMs: number,
): Promise<RescanStart[]> {
  const rows = await sql<RescanRow[]>`
    SELECT * FROM rescans rescan
    WHERE status IN ('queued', 'running')
      AND (workflow_started_at IS NULL AND created_at < clock_timestamp() - ${olderThanMs} * interval '1 millisecond'
           OR greatest(workflow_started_at, workflow_seen_at, updated_at)
              < clock_timestamp() - ${unseenMs} * interval '1 millisecond')
      AND ${notPutOff(sql, 'rescan.id')}
    ORDER BY greatest(workflow_seen_at, created_at) LIMIT ${MOST}`
  return rows.map(toRescanStart)
}

/** Marks that the workflow of a rescan exists, so that the sweeper leaves it alone for a while. */
export async function markRescanStarted(sql: Queryable, id: string): Promise<void> {
  await sql`
    UPDATE rescans SET workflow_started_at = coalesce(workflow_started_at, clock_timestamp()),
      workflow_seen_at = clock_timestamp()
    WHERE id = ${id}`
}
