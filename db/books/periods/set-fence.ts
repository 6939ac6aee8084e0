/** Sets up to when a merchant's books are closed, which each posting reads. */

import type { Transaction } from '../../connect.js'

/**
 * Takes the end and the blocks of the last period that is closed or waits for its close. What is booked while it waits
 * belongs to the next period already. The caller has locked the merchant's periods and has changed one of them.
 */
export async function setFence(tx: Transaction, merchantId: string): Promise<void> {
  await tx`
    WITH last AS (
      SELECT max(to_at) AS closed_until FROM periods WHERE merchant_id = ${merchantId} AND status <> 'open'
    ), gone AS (
      DELETE FROM ledger_fences
      WHERE merchant_id = ${merchantId} AND (SELECT closed_until FROM last) IS NULL
    )
    INSERT INTO ledger_fences (merchant_id, closed_until, heights)
    SELECT ${merchantId}, closed_until, coalesce((
      SELECT jsonb_object_agg(block ->> 'network', block -> 'block_number')
      FROM (
        SELECT proof FROM periods WHERE merchant_id = ${merchantId} AND status <> 'open' ORDER BY to_at DESC LIMIT 1
      ) newest, jsonb_array_elements(newest.proof) block), '{}')
    FROM last WHERE closed_until IS NOT NULL
    ON CONFLICT (merchant_id) DO UPDATE SET closed_until = excluded.closed_until, heights = excluded.heights`
}
