/** Lists addresses of a merchant, newest first. */

import type { Queryable } from '../connect.js'
import { networksOf, pageOf } from '../page-of.js'
import type { Slice } from '../slice.js'

export interface AddressRow {
  readonly id: string
  readonly network: string
  readonly kind: 'deposit' | 'change' | 'master' | 'hot' | 'gas'
  readonly user_reference: string | null
  readonly label: string | null
  readonly address: string
  readonly key_account_id: string
  readonly derivation_path: string
  readonly created_at: Date
}

export interface AddressFilter {
  readonly user_reference?: string | undefined
  readonly network?: string | undefined
  readonly address?: string | undefined
}

/** Returns users' deposit addresses that match every filter. Skipped indexes have no user and are left out. */
export async function listAddresses(
  sql: Queryable,
  merchantId: string,
  filter: AddressFilter,
  slice: Slice,
): Promise<AddressRow[]> {
  const { user_reference, network, address } = filter
  const where = sql`
    each.merchant_id = ${merchantId} AND each.kind = 'deposit' AND each.user_reference IS NOT NULL
    ${user_reference === undefined ? sql`` : sql`AND each.user_reference = ${user_reference}`}
    ${network === undefined ? sql`` : sql`AND each.network = ${network}`}
    ${address === undefined ? sql`` : sql`AND each.address = ${address}`}`
  const merge =
    address === undefined
      ? undefined
      : { keys: networksOf(sql, merchantId), on: sql`each.network = key.network` }
  const page = pageOf(sql, { table: sql`addresses`, name: 'each', where, merge }, slice)
  return sql<AddressRow[]>`
    SELECT id, network, kind, user_reference, label, address, key_account_id, derivation_path, created_at
    FROM ${page} address ORDER BY id DESC`
}
