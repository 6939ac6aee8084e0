/** Finds issued addresses by their text. The watcher finds them by their keys. */

import type { Queryable } from '../connect.js'

export interface IssuedAddress {
  readonly id: string
  readonly merchantId: string
}

/** Returns an address by its id. `null` if there is none. */
export async function findAddress(
  sql: Queryable,
  id: string,
): Promise<(IssuedAddress & { readonly address: string }) | null> {
  const [row] = await sql<{ merchant_id: string; address: string }[]>`
    SELECT merchant_id, address FROM addresses WHERE id = ${id}`
  return row ? { id, merchantId: row.merchant_id, address: row.address } : null
}

/** Returns those of the texts that are addresses of the platform. */
export async function findIssued(
  sql: Queryable,
  network: string,
  texts: readonly string[],
): Promise<ReadonlyMap<string, IssuedAddress>> {
  if (texts.length === 0) return new Map()
  const rows = await sql<{ id: string; merchant_id: string; address: string }[]>`
    SELECT id, merchant_id, address FROM addresses
    WHERE network = ${network} AND address = ANY ((SELECT ${[...texts]}::text[])::text[])`
  return new Map(rows.map((row) => [row.address, { id: row.id, merchantId: row.merchant_id }]))
}
