/** Deletes the public ids and secrets of API keys that rotations replaced, once their time is over. */

import type { Sql } from '../connect.js'

/** Deletes them. @returns How much it deleted. */
export async function purgePreviousKeys(sql: Sql): Promise<number> {
  const rows = await sql`DELETE FROM previous_api_keys WHERE expires_at < clock_timestamp()`
  return rows.count
}
