/** Reads the balances that addresses should have by the books, if nothing is under way that changes them. */

import { FINAL_PAYOUTS } from '../../domain/payouts/stage-sets.js'
import type { Queryable } from '../connect.js'
import { members } from '../members.js'

export interface QuietBalance {
  readonly addressId: string
  readonly merchantId: string
  readonly address: string
  readonly coin: string
  /** Expected base units: the books, transfers too small for them, and known rises that are not booked. */
  readonly expected: bigint
}

/**
 * Reads the addresses that neither pay nor are paid at present. For others, chain and books are allowed to
 * differ.
 */
export async function quietBalances(
  sql: Queryable,
  network: string,
  coins: readonly string[],
  addressIds: readonly string[],
): Promise<QuietBalance[]> {
  const rows = await sql<
    { address_id: string; merchant_id: string; address: string; coin: string; expected: bigint }[]
  >`
    SELECT address.id AS address_id, address.merchant_id, address.address, coin.name AS coin,
      coalesce((SELECT balance FROM ledger_accounts account
                WHERE account.merchant_id = address.merchant_id AND account.network = address.network
                  AND account.coin = coin.name AND account.kind = 'chain' AND account.owner = address.id), 0)::numeric
      + coalesce((SELECT sum(amount) FROM small_transfers small
                  WHERE small.address_id = address.id AND small.coin = coin.name), 0)
      + coalesce((SELECT sum(amount) FROM balance_rises rise
                  WHERE rise.network = address.network AND rise.address_id = address.id AND rise.coin = coin.name
                    AND rise.journal_id IS NULL), 0)
      AS expected
    FROM addresses address CROSS JOIN unnest(${[...coins]}::text[]) AS coin (name)
    WHERE address.network = ${network} AND address.id = ANY (${[...addressIds]})
      AND NOT EXISTS (SELECT FROM deposits deposit WHERE deposit.address_id = address.id AND deposit.status = 'unconfirmed')
      AND NOT EXISTS (SELECT FROM attempts own
                      WHERE own.from_address_id = address.id AND own.state IN ('built', 'signed', 'broadcast', 'mined'))
      AND NOT EXISTS (SELECT FROM payouts movement
                      WHERE movement.merchant_id = address.merchant_id AND movement.network = address.network
                        AND movement.kind IN ('consolidation', 'gas_funding', 'rebalance')
                        AND (movement.to_address = address.address OR movement.from_address_id = address.id)
                        AND movement.stage NOT IN ${members(sql, FINAL_PAYOUTS)})
    ORDER BY address.id, coin.name`
  return rows.map((row) => ({
    addressId: row.address_id,
    merchantId: row.merchant_id,
    address: row.address,
    coin: row.coin,
    expected: BigInt(row.expected),
  }))
}
