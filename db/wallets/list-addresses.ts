/** Lists addresses of a merchant, newest first. */

import type { Queryable } from '../connect.js'
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
  return sql<AddressRow[]>`
    SELECT id, network, kind, user_reference, label, address, key_account_id, derivation_path, created_at
    FROM addresses
    WHERE merchant_id = ${merchantId} AND kind = 'deposit' AND user_reference IS NOT NULL
      ${filter.user_reference === undefined ? sql`` : sql`AND user_reference = ${filter.user_reference}`}
      ${filter.network === undefined ? sql`` : sql`AND network = ${filter.network}`}
      ${filter.address === undefined ? sql`` : sql`AND address = ${filter.address}`}
      ${slice.before === null ? sql`` : sql`AND id < ${slice.before}`}
    ORDER BY id DESC LIMIT ${slice.take} OFFSET ${slice.offset}`
}
