/** Reads the blocks with which the books agree at an instant: the newest final block of each network. */

import type { ProofBlock } from '../../../domain/books/period-books.js'
import type { Networks } from '../../../domain/chain/network.js'
import type { Queryable } from '../../connect.js'
import { movesCoins } from '../ledger/moves-coins.js'

/**
 * Returns a block for each enabled network that has been scanned: the one that was final at the instant,
 * moved to where the bookings of the merchant were then: up to what was booked early, and below each deposit and
 * payout that is in a block and was not booked, however late it was. A network whose scan began later has the
 * first block that is known.
 *
 * @param before - Instant, not included.
 * @param running - Whether the newest block was seen by then, so that no block has to be searched by its time.
 */
export async function readProof(
  sql: Queryable,
  networks: Networks,
  merchantId: string,
  before: Date,
  running: boolean,
): Promise<ProofBlock[]> {
  const names = [...networks.keys()].sort()
  const depths = names.map((name) => String((networks.get(name)?.confirmations ?? 1) - 1))
  const instant = sql`${before}::timestamptz`
  const rows = await sql<{ network: string; height: bigint; hash: string }[]>`
    SELECT enabled.network, block.height, block.hash
    FROM unnest(${names}::text[], ${depths}::bigint[]) AS enabled (network, depth)
    JOIN chain_cursors cursor ON cursor.network = enabled.network
    CROSS JOIN LATERAL (
      SELECT ${
        running
          ? sql`cursor.height`
          : sql`coalesce((SELECT seen.height FROM chain_blocks seen
                          WHERE seen.network = enabled.network AND seen.time < ${before}
                          ORDER BY seen.height DESC LIMIT 1), -1)`
      } - enabled.depth AS height
    ) final
    CROSS JOIN LATERAL (
      -- The highest block of what was booked by then.
      SELECT coalesce((
        SELECT journal.height FROM ledger_journals journal
        WHERE journal.merchant_id = ${merchantId} AND journal.network = enabled.network
          AND journal.height > final.height AND ${movesCoins(sql, 'before', instant)} AND ${stands(sql)}
        ORDER BY journal.height DESC LIMIT 1), final.height) AS height
    ) booked
    CROSS JOIN LATERAL (
      -- The lowest block of what was booked later, or is still to be booked. What a closed period had counted is an
      -- adjustment already. A rise that was credited later lay outside the books at any block.
      SELECT min(later.height) - 1 AS height
      FROM (
        (SELECT journal.height FROM ledger_journals journal
         WHERE journal.merchant_id = ${merchantId} AND journal.network = enabled.network
           AND journal.height <= booked.height
           AND journal.height > coalesce((
             SELECT (heights ->> enabled.network)::bigint FROM ledger_fences WHERE merchant_id = ${merchantId}), -1)
           AND journal.type <> 'deposit.rise_booked' AND ${movesCoins(sql, 'since', instant)} AND ${stands(sql)}
         ORDER BY journal.height LIMIT 1)
        UNION ALL
        SELECT min(deposit.block_number) FROM deposits deposit
        WHERE deposit.merchant_id = ${merchantId} AND deposit.network = enabled.network AND deposit.status = 'unconfirmed'
          AND deposit.block_number <= booked.height
        UNION ALL
        -- A payout that was mined has left the chain's sum, and leaves the books when it is settled.
        SELECT min(own.block_number) FROM attempts own
        WHERE own.merchant_id = ${merchantId} AND own.network = enabled.network AND own.state = 'mined'
          AND own.block_number <= booked.height
      ) later
    ) unbooked
    CROSS JOIN LATERAL (SELECT least(booked.height, unbooked.height) AS height) wanted
    CROSS JOIN LATERAL (
      SELECT known.height, known.hash
      FROM (
        (SELECT height, hash FROM chain_blocks below
         WHERE below.network = enabled.network AND below.height <= wanted.height ORDER BY below.height DESC LIMIT 1)
        UNION ALL
        (SELECT height, hash FROM chain_blocks above
         WHERE above.network = enabled.network AND above.height > wanted.height ORDER BY above.height LIMIT 1)
        UNION ALL SELECT cursor.height, cursor.block_hash
      ) known
      ORDER BY known.height <= wanted.height DESC, abs(known.height - wanted.height) LIMIT 1
    ) block
    ORDER BY enabled.network`
  return rows.map(({ network, height, hash }) => ({
    network,
    block_number: Number(height),
    block_hash: hash,
  }))
}

/** Condition on `journal`. One that was reversed, and its reversal, change nothing together. */
function stands(sql: Queryable) {
  return sql`
    journal.reverses IS NULL AND NOT EXISTS (SELECT FROM ledger_journals undo WHERE undo.reverses = journal.id)`
}
