/** Deletes old sessions of the cashier. What they made stays, and so does the audit log. */

import type { Sql } from '../connect.js'

/** Days for which a used or expired link still says so. Afterwards it is unknown. */
const KEPT_DAYS = 30

/** Deletes at most 5,000 sessions with their forms. @returns How many sessions it deleted. */
export async function purgeCashierSessions(sql: Sql): Promise<number> {
  const rows = await sql`
    WITH old AS (
      SELECT id FROM cashier_sessions WHERE created_at < now() - ${KEPT_DAYS} * interval '1 day'
      ORDER BY created_at LIMIT 5000 FOR UPDATE SKIP LOCKED
    ), forms AS (
      DELETE FROM cashier_forms USING old WHERE session_id = old.id
    )
    DELETE FROM cashier_sessions USING old WHERE cashier_sessions.id = old.id RETURNING cashier_sessions.id`
  return rows.length
}
