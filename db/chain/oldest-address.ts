/** Reads when a network's first address was issued. */

import type { Queryable } from '../connect.js'

/** Returns when the first address of a network was issued. `null` if none was. */
export async function oldestAddress(sql: Queryable, network: string): Promise<Date | null> {
  const [row] = await sql<{ oldest: Date | null }[]>`
    SELECT min(created_at) AS oldest FROM addresses WHERE network = ${network}`
  return row?.oldest ?? null
}
