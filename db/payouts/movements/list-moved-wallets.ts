/** Lists the wallets that the rebalancer checks on a network. */

import type { WatchedWallet } from '../../../domain/payouts/treasury.js'
import type { Queryable } from '../../connect.js'

export interface MovedWallet {
  readonly id: string
  readonly merchantId: string
  readonly kind: WatchedWallet
  readonly address: string
  /** Coins in which its balance counts as low. */
  readonly low: readonly string[]
}

/** Lists the wallets whose signer is not revoked, oldest first. */
export async function listMovedWallets(sql: Queryable, network: string): Promise<MovedWallet[]> {
  return sql<MovedWallet[]>`
    SELECT address.id, address.merchant_id AS "merchantId", address.kind, address.address,
           coalesce((SELECT jsonb_agg(coin) FROM wallet_alerts WHERE address_id = address.id), '[]') AS low
    FROM key_accounts account
    JOIN signers signer ON signer.id = account.signer_id AND signer.revoked_at IS NULL
    JOIN addresses address ON address.key_account_id = account.id AND address.kind IN ('master', 'hot', 'gas')
    WHERE account.network = ${network} AND account.role <> 'deposit'
    ORDER BY address.id`
}
