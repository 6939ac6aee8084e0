/** Lists the policy changes of a merchant that are not settled. */

import type { Queryable } from '../../connect.js'

/** Returns the ids of changes that wait for approvals or for their cool-down, newest first. */
export async function listOpenPolicyChanges(sql: Queryable, merchantId: string): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    SELECT id FROM control_changes
    WHERE merchant_id = ${merchantId} AND kind = 'policy' AND state IN ('pending_approval', 'cooling_down')
    ORDER BY id DESC`
  return rows.map((row) => row.id)
}
