/** Something final excludes every attempt of a payment: none of them holds anything any more. */

import type { Transaction } from '../../connect.js'
import { findExclusions } from './find-exclusions.js'

/**
 * Ends all open attempts of a withdrawal that the caller has locked, and for which `proveUnpaid` found a
 * final conflict; gives their outpoints back. What a signer may answer yet is worth nothing, unless the chain
 * takes that back (`reopenWithdrawals`). The block that excluded each of them is kept, so that a
 * reorganisation below it takes this back.
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
 * Gives back every outpoint that a withdrawal has set aside, and what one of its replaced attempts had spent
 * in a block that left the chain. What is spent in a block stays spent.
 */
export async function releaseOutputs(tx: Transaction, id: string): Promise<void> {
  await tx`
    UPDATE utxos output SET spent_by = NULL
    FROM attempts attempt CROSS JOIN LATERAL jsonb_to_recordset(attempt.inputs) AS input (txid text, vout integer)
    WHERE attempt.payout_id = ${id} AND attempt.state IN ('replaced', 'abandoned')
      AND output.network = attempt.network AND output.txid = input.txid AND output.vout = input.vout
      AND output.spent_by = attempt.txid AND output.spent_at_block IS NULL`
  await tx`
    UPDATE utxo_reservations SET released_at = clock_timestamp() WHERE payout_id = ${id} AND released_at IS NULL`
}
