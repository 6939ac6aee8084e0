/** Withdrawals whose workflow was not started: the API was cut short, or Temporal was down. A batch starts its own parts. */

import type { Networks } from '../../domain/network.js'
import type { Queryable } from '../connect.js'
import { toWithdrawalStart, type WithdrawalStart } from './read-withdrawal-input.js'
import type { WithdrawalRow } from './withdrawal-row.js'

/** Taken at a time; the next sweep takes the next. */
const BATCH = 500

/**
 * The oldest of them, ready to be started.
 *
 * @param olderThanMs - Leaves alone what the API is starting right now.
 */
export async function unstartedWithdrawals(
  sql: Queryable,
  networks: Networks,
  olderThanMs: number,
): Promise<WithdrawalStart[]> {
  const rows = await sql<WithdrawalRow[]>`
    SELECT * FROM withdrawals
    WHERE workflow_started_at IS NULL AND (kind <> 'batch_part' OR reopened > 0)
      AND created_at < clock_timestamp() - ${olderThanMs} * interval '1 millisecond'
    ORDER BY created_at LIMIT ${BATCH}`
  return rows.map((row) => toWithdrawalStart(networks, row))
}
