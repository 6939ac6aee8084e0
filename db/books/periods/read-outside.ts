/** Reads what the chains hold beside a merchant's books at the blocks that prove them. */

import type { ProofBlock } from '../../../domain/books/period-books.js'
import type { Queryable } from '../../connect.js'

/** Sum of a coin on a network, in base units. */
export interface OutsideUnits {
  readonly network: string
  readonly coin: string
  readonly amount: bigint
}

/**
 * Sums transfers below a network's minimum and rises of balances that came up to each block and were not booked before
 * the instant. A rise counts from the block at which it was noticed, as its journal does.
 *
 * @param before - Instant, not included.
 */
export async function readOutside(
  sql: Queryable,
  merchantId: string,
  proof: readonly ProofBlock[],
  before: Date,
): Promise<OutsideUnits[]> {
  return await sql<OutsideUnits[]>`
    WITH block AS MATERIALIZED (
      SELECT * FROM unnest(
        ${proof.map((block) => block.network)}::text[], ${proof.map((block) => String(block.block_number))}::bigint[]
      ) AS block (network, height)
    ), outside AS (
      SELECT small.network, small.coin, small.address_id, small.amount
      FROM block JOIN small_transfers small ON small.network = block.network AND small.block_number <= block.height
      UNION ALL
      SELECT rise.network, rise.coin, rise.address_id, rise.amount
      FROM block JOIN balance_rises rise ON rise.network = block.network AND rise.block_number <= block.height
      WHERE rise.journal_id IS NULL
        OR NOT EXISTS (
          SELECT FROM ledger_entries WHERE journal_id = rise.journal_id AND recorded_at < ${before})
    )
    SELECT outside.network, outside.coin, sum(outside.amount) AS amount
    FROM outside JOIN addresses address ON address.id = outside.address_id
    WHERE address.merchant_id = ${merchantId}
    GROUP BY outside.network, outside.coin ORDER BY outside.network, outside.coin`
}
