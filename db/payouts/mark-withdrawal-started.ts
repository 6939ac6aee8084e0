/** Marks that the workflow of a withdrawal exists, so that the sweeper leaves it alone for a while. */

import type { Queryable } from '../connect.js'

/** Marks one withdrawal. */
export async function markWithdrawalStarted(sql: Queryable, id: string): Promise<void> {
  await sql`
    UPDATE payouts SET workflow_started_at = coalesce(workflow_started_at, clock_timestamp()),
      workflow_seen_at = clock_timestamp()
    WHERE id = ${id}`
}
