/** What each of several addresses holds per coin, in one query. */

import type { Queryable } from '../connect.js'
import type { Balance } from './get-balances.js'

interface Row {
  readonly address_id: string
  readonly network: string
  readonly coin: string
  readonly blockchain: bigint
  readonly pending: bigint
  readonly screened: bigint
}

/**
 * As `getBalances` with an address, for each: every coin of its network's rails, and whatever else was ever there.
 *
 * @returns By the address's id; coins by name.
 */
export async function getWalletBalances(
  sql: Queryable,
  merchantId: string,
  addressIds: readonly string[],
): Promise<ReadonlyMap<string, readonly Balance[]>> {
  const balances = new Map<string, Balance[]>(addressIds.map((id) => [id, []]))
  if (addressIds.length === 0) return balances
  const rows = await sql<Row[]>`
    WITH address AS (
      SELECT id, network FROM addresses WHERE merchant_id = ${merchantId} AND id = ANY (${[...addressIds]})
    ), rail AS (
      SELECT address.id AS address_id, rail.network, rail.coin
      FROM address JOIN merchant_rails rail ON rail.merchant_id = ${merchantId} AND rail.network = address.network
    ), ledger AS (
      SELECT account.owner AS address_id, account.network, account.coin, sum(account.balance) AS blockchain
      FROM ledger_accounts account JOIN address ON address.id = account.owner
      WHERE account.merchant_id = ${merchantId} AND account.kind = 'chain'
      GROUP BY account.owner, account.network, account.coin
    ), deposit AS (
      SELECT address_id, network, coin,
             coalesce(sum(amount) FILTER (WHERE status IN ('detected', 'unconfirmed')), 0) AS pending,
             coalesce(sum(amount) FILTER (WHERE status IN ('confirmed', 'screening_requested', 'held')), 0) AS screened
      FROM deposits
      WHERE merchant_id = ${merchantId} AND address_id = ANY (${[...addressIds]})
        AND status IN ('detected', 'unconfirmed', 'confirmed', 'screening_requested', 'held')
      GROUP BY address_id, network, coin
    )
    SELECT address_id, network, coin, coalesce(ledger.blockchain, 0) AS blockchain,
           coalesce(deposit.pending, 0) AS pending, coalesce(deposit.screened, 0) AS screened
    FROM rail FULL JOIN ledger USING (address_id, network, coin) FULL JOIN deposit USING (address_id, network, coin)
    ORDER BY address_id, network, coin`
  for (const row of rows) {
    balances.get(row.address_id)?.push({
      network: row.network,
      coin: row.coin,
      available: row.blockchain - row.screened,
      reserved: row.screened,
      blockchain: row.blockchain,
      pending: row.pending,
    })
  }
  return balances
}
