/** The merchant's own wallets. */

import type { Queryable } from '../connect.js'

export interface WalletRow {
  readonly id: string
  readonly kind: 'master' | 'hot' | 'gas'
  readonly network: string
  readonly address: string
}

/** Its master, hot and gas wallets by network and kind: a handful, and never more than `most`. */
export async function listWallets(sql: Queryable, merchantId: string, most: number): Promise<WalletRow[]> {
  return sql<WalletRow[]>`
    SELECT id, kind, network, address FROM addresses
    WHERE merchant_id = ${merchantId} AND user_reference IS NULL AND kind IN ('master', 'hot', 'gas')
    ORDER BY network, array_position(ARRAY['master', 'hot', 'gas'], kind), id
    LIMIT ${most}`
}
