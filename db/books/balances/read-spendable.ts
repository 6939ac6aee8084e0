/** Reads how much of a merchant's coins could be paid out now. It may be less than the merchant owns. */

import { byFamily } from '../../../domain/chain/by-family.js'
import type { Networks } from '../../../domain/chain/network.js'
import type { Queryable } from '../../connect.js'
import { MOST_INPUTS, spendableOutputs } from '../../payouts/attempts/list-spendable-outputs.js'
import type { BalanceScope } from './balance-scope.js'

/** Spendable amounts of one coin, in base units. */
export interface Spendable {
  readonly network: string
  readonly coin: string
  /** Amount that can be paid out now, in any number of payouts. */
  readonly spendable: bigint
  /** Largest amount of one payout: the largest outputs of one transaction, or the richest wallet. */
  readonly atOnce: bigint
}

/**
 * Sums the addresses that the filter selects. On UTXO networks it counts outputs that are confirmed, credited
 * and not reserved. On EVM networks it counts the balances of master and hot wallets in the books, less the
 * payouts under way; coins on deposit addresses count after their consolidation. Coins without any amount are
 * left out.
 */
export async function readSpendable(
  sql: Queryable,
  networks: Networks,
  filter: Pick<BalanceScope, 'merchantId' | 'userReference' | 'addressId' | 'ownAccount'>,
): Promise<Spendable[]> {
  const { merchantId, userReference, addressId, ownAccount } = filter
  const selected = sql`
    ${addressId === undefined ? sql`` : sql`AND address.id = ${addressId}`}
    ${userReference === undefined ? sql`` : sql`AND address.user_reference = ${userReference}`}
    ${ownAccount ? sql`AND address.user_reference IS NULL` : sql``}`
  const found: Spendable[] = []
  const paying = [...networks.values()].map((network) => ({
    network,
    from: byFamily(network, { utxo: () => 'outputs', evm: () => 'accounts' }),
  }))
  for (const { network, from } of paying) {
    if (from !== 'outputs') continue
    const [row] = await sql<{ spendable: bigint; at_once: bigint }[]>`
      SELECT coalesce(sum(amount), 0)::numeric AS spendable,
             coalesce(sum(amount) FILTER (WHERE place <= ${MOST_INPUTS}), 0)::numeric AS at_once
      FROM (
        SELECT output.amount, row_number() OVER (ORDER BY output.amount DESC) AS place
        ${spendableOutputs(sql, merchantId, network.name, network.confirmations)} ${selected}
      ) AS ranked`
    if (row && row.spendable > 0n) {
      const coin = network.coins[0]?.name ?? ''
      found.push({ network: network.name, coin, spendable: row.spendable, atOnce: row.at_once })
    }
  }
  const accounts = await sql<Spendable[]>`
    SELECT network, coin, sum(left_over)::numeric AS spendable, max(left_over)::numeric AS "atOnce"
    FROM (
      SELECT held.network, held.coin, greatest(0, held.balance - coalesce((
        SELECT sum(most) FROM (
          SELECT max(amount) AS most FROM attempts
          WHERE from_address_id = address.id AND coin = held.coin AND state IN ('built', 'signed', 'broadcast', 'mined')
          GROUP BY payout_id) AS under_way), 0)) AS left_over
      FROM ledger_accounts held
      JOIN addresses address ON address.id = held.owner AND address.network = held.network
      JOIN key_accounts account ON account.id = address.key_account_id
      JOIN signers signer ON signer.id = account.signer_id AND signer.revoked_at IS NULL
      WHERE held.merchant_id = ${merchantId} AND held.kind = 'chain' AND address.kind IN ('hot', 'master')
        AND held.network = ANY (${paying.filter(({ from }) => from === 'accounts').map(({ network }) => network.name)})
        ${selected}
    ) AS wallets
    GROUP BY network, coin`
  return [...found, ...accounts]
}
