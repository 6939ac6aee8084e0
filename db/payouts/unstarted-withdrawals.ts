/**
 * Finds withdrawals whose workflow may not exist: never started, because the API was cut short or Temporal
 * was down, or started and then terminated, or lost with its server. A batch starts its own parts.
 */

import { OPEN_PAYOUTS } from '../../domain/payouts/stage-sets.js'
import type { Queryable } from '../connect.js'
import { members } from '../members.js'
import { notPutOff } from '../operations/sweep-failures.js'
import type { PayoutRow } from './payout-row.js'

/** Most that one sweep takes. The next sweep takes the next. */
const BATCH = 500

/**
 * Returns the oldest that were not started, then open ones that have neither moved nor been checked, longest
 * first.
 *
 * @param olderThanMs - Minimum age, so that the API's own start is not disturbed.
 * @param unseenMs - Minimum time since it moved, or was found running.
 */
export async function unstartedWithdrawals(
  sql: Queryable,
  olderThanMs: number,
  unseenMs: number,
): Promise<PayoutRow[]> {
  return sql<PayoutRow[]>`
    (SELECT * FROM payouts
     WHERE workflow_started_at IS NULL AND (kind <> 'batch_part' OR reopened > 0)
       AND created_at < clock_timestamp() - ${olderThanMs} * interval '1 millisecond'
       AND ${notPutOff(sql, 'payouts.id')}
     ORDER BY created_at LIMIT ${BATCH})
    UNION ALL
    (SELECT * FROM payouts
     WHERE stage IN ${members(sql, OPEN_PAYOUTS)}
       AND workflow_started_at IS NOT NULL
       AND greatest(workflow_started_at, workflow_seen_at, updated_at) < clock_timestamp() - ${unseenMs} * interval '1 millisecond'
       AND ${notPutOff(sql, 'payouts.id')}
     ORDER BY greatest(workflow_started_at, workflow_seen_at, updated_at) LIMIT ${BATCH})`
}
