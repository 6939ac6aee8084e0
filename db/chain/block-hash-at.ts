/** Reads the hash of a scanned block. */

import type { Queryable } from '../connect.js'

/** Returns the hash of the block that was scanned at a height. `null` if none was. */
export async function blockHashAt(sql: Queryable, network: string, height: number): Promise<string | null> {
  const [row] = await sql<{ hash: string }[]>`
    SELECT hash FROM chain_blocks WHERE network = ${network} AND height = ${height}`
  return row?.hash ?? null
}
