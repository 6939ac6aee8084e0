/** Which payouts go to destinations that came onto the sanctions list after they were asked for. */

import type { Queryable } from '../../connect.js'
import { findSanctioned } from './find-sanctioned.js'

/**
 * Asks the list about withdrawals and parts of batches. A destination that was on it when it was asked for was looked at by a person,
 * as was one whose hit was accepted in a review since, so neither is among them. Movements pay own wallets: no list applies.
 *
 * @param ids - Of rows of `withdrawals`, of any kind.
 * @returns By their id, what is listed of those that have something listed.
 */
export async function findNewlyListed(
  sql: Queryable,
  ids: readonly string[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  if (ids.length === 0) return new Map()
  const destinations = await sql<{ id: string; address: string }[]>`
    SELECT id, to_address AS address FROM payouts
    WHERE id = ANY (${[...ids]}) AND kind = 'withdrawal' AND NOT coalesce((risk ->> 'sanctioned')::boolean, false)
    UNION ALL
    SELECT part_id, to_address FROM batch_items
    WHERE part_id = ANY (${[...ids]}) AND NOT sanctioned AND failure_code IS NULL`
  const listed = await findSanctioned(
    sql,
    destinations.map(({ address }) => address),
  )
  const found = new Map<string, Set<string>>()
  for (const { id, address } of destinations) {
    if (listed.has(address)) found.set(id, (found.get(id) ?? new Set()).add(address))
  }
  return found
}
