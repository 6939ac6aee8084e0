/** Notes the adjustments that no posting could note, because the request of a close was not committed yet. */

import type { Transaction } from '../../connect.js'
import { movesCoins } from '../ledger/moves-coins.js'

/**
 * Notes each booking on addresses in a block that the last closed or closing period counted, if the booking was made
 * after the period's end. A posting notes it itself once it sees the fence. One that ran beside the request of the close
 * did not see it, and the request did not see the posting when it chose the block.
 */
export async function noteLate(tx: Transaction, merchantId: string): Promise<void> {
  await tx`
    INSERT INTO period_adjustments (merchant_id, journal_id)
    SELECT fence.merchant_id, journal.id
    FROM ledger_fences fence
    CROSS JOIN LATERAL jsonb_each_text(fence.heights) AS block (network, height)
    LEFT JOIN LATERAL (
      -- What the period before that one had counted was noted when that one was closed, or when it was booked.
      SELECT (counted ->> 'block_number')::bigint AS height
      FROM (
        SELECT proof FROM periods
        WHERE merchant_id = fence.merchant_id AND status <> 'open' ORDER BY to_at DESC OFFSET 1 LIMIT 1
      ) earlier, jsonb_array_elements(earlier.proof) counted
      WHERE counted ->> 'network' = block.network
    ) earlier ON true
    CROSS JOIN LATERAL (
      SELECT journal.id FROM ledger_journals journal
      WHERE journal.merchant_id = fence.merchant_id AND journal.network = block.network
        AND journal.height > coalesce(earlier.height, -1) AND journal.height <= block.height::bigint
        AND ${movesCoins(tx, 'since', tx`fence.closed_until`)}
    ) journal
    WHERE fence.merchant_id = ${merchantId}
    ON CONFLICT DO NOTHING`
}
