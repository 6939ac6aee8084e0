/** Which items of a part go to destinations that came onto the sanctions list after the batch was asked for. */

import type { Queryable } from '../connect.js'
import { findSanctioned } from './find-destinations.js'

/** Indices in the batch. One that was on the list before was looked at by a person, so it is not among them. */
export async function newlySanctioned(sql: Queryable, partId: string): Promise<ReadonlySet<number>> {
  const items = await sql<{ index: number; to_address: string }[]>`
    SELECT index, to_address FROM batch_items WHERE part_id = ${partId} AND NOT sanctioned AND failure_code IS NULL`
  const listed = await findSanctioned(
    sql,
    items.map((item) => item.to_address),
  )
  return new Set(items.filter((item) => listed.has(item.to_address)).map((item) => item.index))
}
