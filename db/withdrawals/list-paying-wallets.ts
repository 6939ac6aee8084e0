/** Which wallets of an EVM chain may pay a withdrawal, in the order in which they are asked. */

import type { Queryable } from '../connect.js'
import type { WithdrawalRow } from './withdrawal-row.js'

export interface PayingWallet {
  readonly id: string
  readonly kind: 'master' | 'hot' | 'gas'
  /** EIP-55. */
  readonly address: string
  readonly derivation_path: string
  readonly signer_id: string
}

/** The wallet that was asked for alone; else hot, then master. Wallets of revoked signers cannot pay. */
export async function listPayingWallets(
  sql: Queryable,
  row: Pick<WithdrawalRow, 'merchant_id' | 'network' | 'from_address_id'>,
): Promise<PayingWallet[]> {
  return sql<PayingWallet[]>`
    SELECT address.id, address.kind, address.address, address.derivation_path, signer.id AS signer_id
    FROM addresses address
    JOIN key_accounts account ON account.id = address.key_account_id
    JOIN signers signer ON signer.id = account.signer_id AND signer.revoked_at IS NULL
    WHERE address.merchant_id = ${row.merchant_id} AND address.network = ${row.network}
      AND CASE WHEN ${row.from_address_id}::text IS NULL THEN address.kind IN ('hot', 'master')
               ELSE address.id = ${row.from_address_id} END
    ORDER BY address.kind`
}
