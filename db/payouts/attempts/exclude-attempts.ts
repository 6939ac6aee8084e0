/** Ends every attempt of a payout that something final has excluded. */

import type { Transaction } from '../../connect.js'
import { findExclusions } from './find-exclusions.js'

/**
 * Ends all open attempts of a payout that the caller has locked, and for which `proveUnpaid` found a final
 * conflict, and releases their outpoints. A later answer of a signer has no effect, unless a reorg removes
 * the conflict (`reopenWithdrawals`). Keeps the block that excluded each attempt, so that a reorg below it
 * undoes this.
 */
export async function excludeAttempts(tx: Transaction, id: string): Promise<void> {
  const exclusions = [...(await findExclusions(tx, id)).values()]
  await tx`
    UPDATE signing_requests
    SET state = 'withdrawn', lease_until = NULL,
        passed_at = CASE state WHEN 'leased' THEN coalesce(passed_at, clock_timestamp()) ELSE passed_at END
    WHERE payout_id = ${id} AND state IN ('queued', 'leased')`
  await tx`
    UPDATE attempts SET state = CASE state WHEN 'built' THEN 'abandoned' ELSE 'replaced' END
    WHERE payout_id = ${id} AND state IN ('built', 'signed', 'broadcast')`
  await tx`
    UPDATE attempts attempt SET conflict_height = exclusion.height
    FROM unnest(${exclusions.map((each) => each.attempt)}::text[], ${exclusions.map((each) => each.height)}::bigint[])
      AS exclusion (attempt, height)
    WHERE attempt.id = exclusion.attempt`
  await tx`
    UPDATE nonces SET state = 'foreign' WHERE payout_id = ${id} AND state IN ('allocated', 'signed')`
  await releaseOutputs(tx, id)
}

/**
 * Releases every outpoint that a payout has reserved, and what one of its replaced attempts had spent in a
 * block that left the chain. What a block spends stays spent.
 */
export async function releaseOutputs(tx: Transaction, id: string): Promise<void> {
  await tx`
    WITH released AS (
      UPDATE utxo_reservations SET released_at = clock_timestamp() WHERE payout_id = ${id} AND released_at IS NULL
    )
    UPDATE utxos output SET spent_by = NULL
    FROM attempts attempt CROSS JOIN LATERAL jsonb_to_recordset(attempt.inputs) AS input (txid text, vout integer)
    WHERE attempt.payout_id = ${id} AND attempt.state IN ('replaced', 'abandoned')
      AND output.network = attempt.network AND output.txid = input.txid AND output.vout = input.vout
      AND output.spent_by = attempt.txid AND output.spent_at_block IS NULL`
}
