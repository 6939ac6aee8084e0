/** Deletes idempotency keys whose window is over. */

import type { Sql } from '../connect.js'

/** Deletes at most 10,000 keys. @returns How many it deleted. */
export async function purgeRequests(sql: Sql, windowMs: number): Promise<number> {
  const rows = await sql`
    DELETE FROM idempotency_keys WHERE (merchant_id, key) IN (
      SELECT merchant_id, key FROM idempotency_keys
      WHERE created_at < now() - ${windowMs} * interval '1 millisecond' AND locked_until < now()
      LIMIT 10000 FOR UPDATE SKIP LOCKED)`
  return rows.count
}
