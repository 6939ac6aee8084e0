/**
 * Withdrawals whose workflow may not exist: never started, because the API was cut short or Temporal was
 * down, or started and terminated, or lost with its server. A batch starts its own parts.
 */

import { OPEN_PAYOUTS } from '../../domain/payouts/stage-sets.js'
import type { Queryable } from '../connect.js'
import { members } from '../members.js'
import { notPutOff } from '../operations/sweep-failures.js'
import type { PayoutRow } from './payout-row.js'

/** Taken at a time; the next sweep takes the next. */
const BATCH = 500

/**
 * The oldest that were not started, and those under way that neither moved nor were looked for, longest
 * first.
 *
 * @param olderThanMs - Leaves alone what the API is starting right now.
 * @param unseenMs - Leaves alone what moved, or was found running, so recently.
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
