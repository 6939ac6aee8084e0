/** Deletes nonces whose time window is over. The API refuses a request with such a timestamp anyway. */

import type { Sql } from '../connect.js'

/** Deletes at most 20,000 nonces. @returns How many it deleted. */
export async function purgeNonces(sql: Sql): Promise<number> {
  const rows = await sql`
    DELETE FROM api_nonces WHERE (api_key_id, nonce) IN (
      SELECT api_key_id, nonce FROM api_nonces WHERE expires_at < now() ORDER BY expires_at
      LIMIT 20000 FOR UPDATE SKIP LOCKED)`
  return rows.count
}
