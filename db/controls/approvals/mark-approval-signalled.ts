/** Says that a decision has reached its workflow, so that the sweeper leaves it alone. */

import type { Queryable } from '../../connect.js'

/** Marks one approval. */
export async function markApprovalSignalled(sql: Queryable, id: string): Promise<void> {
  await sql`UPDATE approvals SET signalled_at = clock_timestamp() WHERE id = ${id} AND signalled_at IS NULL`
}
