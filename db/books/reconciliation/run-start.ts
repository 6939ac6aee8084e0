/** Makes the input of a run's workflow, and finds runs whose workflow was not started or is late. */

import type { Queryable } from '../../connect.js'
import { notPutOff } from '../../operations/sweep-failures.js'
import type { ReconciliationRow } from './run-row.js'

/** The input, as `ReconciliationInput` of `temporal/inputs.ts`. */
export interface ReconciliationStart {
  readonly id: string
  readonly merchantId: string
  readonly title: string
}

/** Most that one sweep takes. The next sweep takes the next. */
const MOST = 500

/** Returns the input that belongs to a row. */
export function toReconciliationStart({
  id,
  merchant_id,
  scope,
}: Pick<ReconciliationRow, 'id' | 'merchant_id' | 'scope'>): ReconciliationStart {
  return { id, merchantId: merchant_id, title: scope.join(', ') }
}

/**
 * Returns the oldest runs whose workflow was not started (the API was cut short, or Temporal was down), and open
 * ones that have neither moved nor been checked, whose workflow may be gone.
 *
 * @param olderThanMs - Minimum age, so that the API's own start is not disturbed.
 * @param unseenMs - Minimum time since it moved, or was found running.
 */
export async function unstartedRuns(
  sql: Queryable,
  olderThanMs: number,
  unseenMs: number,
): Promise<ReconciliationStart[]> {
  const rows = await sql<ReconciliationRow[]>`
    SELECT * FROM reconciliation_runs run
    WHERE status = 'running'
      AND (workflow_started_at IS NULL AND created_at < clock_timestamp() - ${olderThanMs} * interval '1 millisecond'
           OR touched_at < clock_timestamp() - ${unseenMs} * interval '1 millisecond')
      AND ${notPutOff(sql, 'run.id')}
    ORDER BY touched_at LIMIT ${MOST}`
  return rows.map(toReconciliationStart)
}

/** Marks that the workflow of a run exists, so that the sweeper leaves it alone for a while. */
export async function markRunStarted(sql: Queryable, id: string): Promise<void> {
  await sql`
    UPDATE reconciliation_runs
    SET workflow_started_at = coalesce(workflow_started_at, clock_timestamp()), touched_at = clock_timestamp()
    WHERE id = ${id}`
}
