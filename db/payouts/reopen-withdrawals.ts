/**
 * Reopens payouts whose final transaction a reorg removed: undoes their books, and has them followed again.
 */

import type { Network } from '../../domain/chain/network.js'
import { OPEN_PAYOUTS } from '../../domain/payouts/stage-sets.js'
import { isWithdrawalFinal } from '../../domain/payouts/withdrawal-stage.js'
import { reverseJournal } from '../books/ledger/reverse-journal.js'
import type { Transaction } from '../connect.js'
import { members } from '../members.js'
import { movePayout } from './move-payout.js'
import type { PayoutRow } from './payout-row.js'
import { followReopenedRefund } from './withdrawals/follow-reopened-refund.js'

/**
 * Locks what `reopenWithdrawals` may change, before any attempt is locked: settling locks in this order too. With a
 * refund it locks the merchant's other refunds that are under way, because it stops those of the same money.
 *
 * @returns The exceptions of the refunds, which the caller locks next.
 */
export async function lockSettledAbove(
  tx: Transaction,
  network: string,
  height: number,
): Promise<readonly string[]> {
  const rows = await tx<{ exception_id: string | null }[]>`
    WITH settled AS MATERIALIZED (
      SELECT id, merchant_id, exception_id FROM payouts
      WHERE id IN (
        SELECT payout_id FROM attempts
        WHERE network = ${network} AND (block_number > ${height} AND state = 'final' OR conflict_height > ${height}))
    )
    SELECT exception_id FROM payouts
    WHERE id IN (
      SELECT id FROM settled
      UNION ALL
      SELECT other.id FROM payouts other
      WHERE other.merchant_id IN (SELECT merchant_id FROM settled WHERE exception_id IS NOT NULL)
        AND other.exception_id IS NOT NULL AND other.stage IN ${members(tx, OPEN_PAYOUTS)})
    ORDER BY id FOR UPDATE`
  return rows.flatMap((row) => row.exception_id ?? [])
}

/**
 * Moves payouts back to `confirming` when their final transaction, or the one that had excluded all of
 * theirs, left the chain. Reverses what was booked at their end, so the hold stands again, and makes every
 * attempt that is or may be signed live again. A new run of the workflow sends the same bytes. Nothing new is
 * signed, so the payout cannot be paid twice.
 *
 * @param ids - Payouts whose attempts are no longer marked as mined.
 */
export async function reopenWithdrawals(
  tx: Transaction,
  network: Network,
  ids: readonly string[],
): Promise<void> {
  const networks = new Map([[network.name, network]])
  for (const id of [...new Set(ids)].sort()) {
    const [row] = await tx<PayoutRow[]>`SELECT * FROM payouts WHERE id = ${id} FOR UPDATE`
    if (!row || !isWithdrawalFinal(row.stage)) continue
    await followReopenedRefund(tx, row)
    await reverseEnd(tx, row)
    await tx`
      UPDATE attempts SET state = 'broadcast', reorged_at = clock_timestamp(), signalled_at = NULL
      WHERE payout_id = ${id} AND state = 'replaced' AND signed_transaction IS NOT NULL`
    await tx`UPDATE nonces SET state = 'signed' WHERE payout_id = ${id} AND state IN ('used', 'foreign')`
    await awaitAgain(tx, id)
    await reserveAgain(tx, id)
    await tx`
      UPDATE payouts SET reopened = reopened + 1, workflow_started_at = NULL, confirmed_at = NULL, confirmations = 0,
                             block_number = NULL, fee = NULL, failure_code = NULL, failure_message = NULL
      WHERE id = ${id}`
    await movePayout(tx, networks, row, {
      to: 'confirming',
      reopened: true,
      actor: 'system:chain-watcher',
      cause: 'its block left the chain; the same bytes are sent again',
    })
    await holdRetry(tx, id)
  }
}

/**
 * Makes a request that a signer had claimed and not answered live again. It may be signed, so the hold stands
 * until the chain excludes it. It is not handed out again, and keeps no other attempt waiting.
 */
async function awaitAgain(tx: Transaction, id: string): Promise<void> {
  const requests = await tx<{ transaction_id: string }[]>`
    UPDATE signing_requests request
    SET state = CASE state WHEN 'withdrawn' THEN 'leased' ELSE state END, lease_until = NULL
    WHERE payout_id = ${id} AND passed_at IS NOT NULL AND state IN ('leased', 'withdrawn', 'signed')
      AND EXISTS (SELECT FROM attempts attempt WHERE attempt.id = request.transaction_id AND attempt.state = 'abandoned')
    RETURNING transaction_id`
  await tx`
    UPDATE attempts SET state = 'built' WHERE id = ANY (${requests.map((request) => request.transaction_id)})`
}

/**
 * Reserves what its attempts spend, unless another payout has reserved it meanwhile: of two that spend the
 * same output one is mined.
 */
async function reserveAgain(tx: Transaction, id: string): Promise<void> {
  await tx`
    INSERT INTO utxo_reservations (network, txid, vout, payout_id, transaction_id)
    SELECT DISTINCT ON (output.network, output.txid, output.vout)
           output.network, output.txid, output.vout, attempt.payout_id, attempt.id
    FROM attempts attempt CROSS JOIN LATERAL jsonb_to_recordset(attempt.inputs) AS input (txid text, vout integer)
    JOIN utxos output ON output.network = attempt.network AND output.txid = input.txid AND output.vout = input.vout
    WHERE attempt.payout_id = ${id} AND attempt.state IN ('built', 'broadcast') AND output.spent_at_block IS NULL
    ORDER BY output.network, output.txid, output.vout, attempt.number
    ON CONFLICT (network, txid, vout) WHERE released_at IS NULL DO NOTHING`
}

async function reverseEnd(tx: Transaction, row: PayoutRow): Promise<void> {
  const journals = await tx<{ id: bigint; idempotency_key: string }[]>`
    SELECT id, idempotency_key FROM ledger_journals journal
    WHERE merchant_id = ${row.merchant_id} AND reference = ${row.id} AND reverses IS NULL
      AND idempotency_key ~ (${row.id}::text || ':(settle|cancel|release)(:[0-9]+)?$')
      AND NOT EXISTS (SELECT FROM ledger_journals undo WHERE undo.reverses = journal.id)
    ORDER BY id DESC`
  for (const journal of journals) {
    await reverseJournal(tx, {
      merchantId: row.merchant_id,
      journalId: journal.id,
      idempotencyKey: `${journal.idempotency_key}:reverted`,
      type: 'withdrawal.reopened',
      reference: row.id,
    })
  }
}

/**
 * Stops the retry of a failed payout: it must not be signed while the payout itself may succeed after all.
 */
async function holdRetry(tx: Transaction, id: string): Promise<void> {
  const held = {
    reason: `${id}, which this one retries, is on its way again: the chain took back its end`,
    by: 'system:chain-watcher',
    at: new Date().toISOString(),
  }
  await tx`
    UPDATE payouts SET investigation = ${tx.json(held)}
    WHERE retry_of = ${id} AND investigation IS NULL`
}
