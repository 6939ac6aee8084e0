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
    ), own AS MATERIALIZED (
      SELECT id, block.network, block.height
      FROM block JOIN addresses ON addresses.merchant_id = ${merchantId} AND addresses.network = block.network
    ), outside AS (
      -- OFFSET keeps the planner from another index, and from reading what other merchants have.
      SELECT own.network, small.coin, small.amount
      FROM own CROSS JOIN LATERAL (SELECT * FROM small_transfers WHERE address_id = own.id OFFSET 0) small
      WHERE small.network = own.network AND small.block_number <= own.height
      UNION ALL
      SELECT own.network, rise.coin, rise.amount
      FROM own CROSS JOIN LATERAL (
        SELECT * FROM balance_rises WHERE network = own.network AND address_id = own.id OFFSET 0) rise
      WHERE rise.block_number <= own.height
        AND (SELECT journal_id FROM ledger_entries
             WHERE journal_id = rise.journal_id AND recorded_at < ${before} LIMIT 1) IS NULL
    )
    SELECT outside.network, outside.coin, sum(outside.amount) AS amount
    FROM outside
    GROUP BY outside.network, outside.coin ORDER BY outside.network, outside.coin`
}
