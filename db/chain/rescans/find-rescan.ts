/** Finds a rescan. */

import type { Queryable } from '../../connect.js'
import type { RescanRow } from './rescan-row.js'

/** Returns the rescan. `null` if there is none. */
export async function findRescan(sql: Queryable, id: string): Promise<RescanRow | null> {
  const [row] = await sql<RescanRow[]>`
    SELECT rescan.*, address.address
    FROM rescans rescan LEFT JOIN addresses address ON address.id = rescan.address_id
    WHERE rescan.id = ${id}`
  return row ?? null
}
