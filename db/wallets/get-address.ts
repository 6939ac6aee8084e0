/** Finds one address of a merchant. */

import type { Queryable } from '../connect.js'
import type { AddressRow } from './list-addresses.js'

/** Returns an address of any kind. `null` if there is none or it is another merchant's. */
export async function getAddress(sql: Queryable, merchantId: string, id: string): Promise<AddressRow | null> {
  const [row] = await sql<AddressRow[]>`
    SELECT id, network, kind, user_reference, label, address, key_account_id, derivation_path, created_at
    FROM addresses WHERE id = ${id} AND merchant_id = ${merchantId}`
  return row ?? null
}
