/** Finds the addresses that are on the sanctions list. */

import { sanctionKey } from '../../../domain/controls/sanction-key.js'
import type { Queryable } from '../../connect.js'

/** Returns those of the addresses that are on the list now. */
export async function findSanctioned(
  sql: Queryable,
  addresses: readonly string[],
): Promise<ReadonlySet<string>> {
  const keys = addresses.map(sanctionKey)
  const rows = await sql<{ address: string }[]>`
    SELECT address FROM sanctioned_addresses WHERE address = ANY (${[...new Set(keys)]})`
  const listed = new Set(rows.map((row) => row.address))
  return new Set(addresses.filter((address) => listed.has(sanctionKey(address))))
}
