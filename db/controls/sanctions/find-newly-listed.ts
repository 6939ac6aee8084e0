/** Finds payouts whose destination came onto the sanctions list after their creation. */

import type { Queryable } from '../../connect.js'
import { findSanctioned } from './find-sanctioned.js'

/**
 * Compares the destinations of withdrawals and of parts of batches with the list. A destination that was
 * listed at the creation, or accepted in a review since, was already examined by a person and is left out.
 * Movements pay the merchant's own wallets, so no list applies to them.
 *
 * @param ids - Ids of payouts of any kind.
 * @returns The newly listed addresses by payout. A payout without one is absent.
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
