/** Says whether a person has a role. */

import type { Queryable } from '../connect.js'

/** Returns whether one of the person's approver keys that is not revoked has the role. */
export async function hasRole(
  sql: Queryable,
  merchantId: string,
  personId: string,
  role: string,
): Promise<boolean> {
  const [row] = await sql`
    SELECT FROM approvers
    WHERE merchant_id = ${merchantId} AND person_id = ${personId} AND role = ${role} AND revoked_at IS NULL`
  return row !== undefined
}
