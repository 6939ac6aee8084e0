/** Records that a decision has reached its workflow, so that the sweeper does not signal it again. */

import type { Queryable } from '../../connect.js'

/** Marks one approval as signalled. */
export async function markApprovalSignalled(sql: Queryable, id: string): Promise<void> {
  await sql`UPDATE approvals SET signalled_at = clock_timestamp() WHERE id = ${id} AND signalled_at IS NULL`
}
