/** Lists the wallets of an EVM network that may pay a payout, in the order in which they are tried. */

import type { Queryable } from '../../connect.js'
import type { PayoutRow } from '../payout-row.js'
import { MOST_IN_FLIGHT } from './allocate-nonce.js'

export interface PayingWallet {
  readonly id: string
  readonly kind: 'master' | 'hot' | 'gas'
  /** Address in the form of EIP-55. */
  readonly address: string
  readonly derivation_path: string
  readonly signer_id: string
}

/**
 * Returns only the wallet that was requested; without one, the hot wallets and then the master wallet. Hot
 * wallets with enough in the books come first, and of them the one with the fewest open payouts. An account
 * with as many open transactions as a node keeps comes last. Wallets of revoked signers cannot pay.
 */
export async function listPayingWallets(
  sql: Queryable,
  row: Pick<PayoutRow, 'merchant_id' | 'network' | 'from_address_id' | 'coin' | 'amount'>,
): Promise<PayingWallet[]> {
  return sql<PayingWallet[]>`
    SELECT address.id, address.kind, address.address, address.derivation_path, signer.id AS signer_id
    FROM addresses address
    JOIN key_accounts account ON account.id = address.key_account_id
    JOIN signers signer ON signer.id = account.signer_id AND signer.revoked_at IS NULL
    CROSS JOIN LATERAL (
      SELECT count(DISTINCT payout_id)::int AS under_way FROM attempts
      WHERE from_address_id = address.id AND state IN ('built', 'signed', 'broadcast')
    ) lane
    LEFT JOIN ledger_accounts held
      ON held.merchant_id = address.merchant_id AND held.network = address.network AND held.coin = ${row.coin}
      AND held.kind = 'chain' AND held.owner = address.id
    WHERE address.merchant_id = ${row.merchant_id} AND address.network = ${row.network}
      AND CASE WHEN ${row.from_address_id}::text IS NULL THEN address.kind IN ('hot', 'master')
               ELSE address.id = ${row.from_address_id} END
    ORDER BY address.kind, lane.under_way >= ${MOST_IN_FLIGHT},
             (coalesce(held.balance, 0) >= ${row.amount.toString()}::numeric) DESC, lane.under_way, address.index`
}
