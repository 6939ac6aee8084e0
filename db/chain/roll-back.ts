/**
 * Reverts everything that orphaned blocks meant, in one transaction. The blocks of the new chain are applied
 * afterwards.
 */

import { subjectOf } from '../../domain/books/exception.js'
import type { Network } from '../../domain/chain/network.js'
import { MINED_DEPOSITS } from '../../domain/deposits/deposit-sets.js'
import { raiseExceptions } from '../books/exceptions/raise-exception.js'
import type { Sql, Transaction } from '../connect.js'
import { type DepositRow, selectDeposits } from '../deposits/deposit-row.js'
import { lockConcerned } from '../deposits/lock-concerned.js'
import { revertDeposits } from '../deposits/revert-deposits.js'
import type { NewEvent } from '../events/log/append-events.js'
import { appendEvents } from '../events/log/append-events.js'
import { members } from '../members.js'
import { type ChainCursor, lockCursor } from '../networks/chain-cursor.js'
import { lowerOpenPayments } from '../payments/lower-open-payments.js'
import { lockSettledAbove, reopenWithdrawals } from '../payouts/reopen-withdrawals.js'
import { repeatTransaction } from '../repeat-transaction.js'
import { uncountSmall } from './count-small.js'
import { revertForeignSpends } from './foreign-spends.js'
import { revertFalls } from './record-falls.js'
import { forgetForeignNonces } from './record-foreign-nonces.js'
import { unspendInputs } from './record-inputs.js'
import { forgetRises } from './record-rises.js'
import { keepWatch, type Watch } from './take-watch.js'

export type RolledBack =
  | { readonly kind: 'rolled_back'; readonly blocks: number; readonly deposits: number }
  /** Another watcher moved the cursor meanwhile; the caller reads it again. */
  | { readonly kind: 'moved' }

/**
 * Sets the cursor back to the fork: deposits above it are reverted, outputs are unmined and unspent, own
 * transactions are unmined, and blocks are deleted.
 *
 * @param from - Cursor for which the fork was found.
 * @param fork - Last block that stays.
 * @throws WatchLost if `watch` is not the latest.
 */
export async function rollBack(
  sql: Sql,
  network: Network,
  from: ChainCursor,
  fork: ChainCursor,
  watch?: Watch,
): Promise<RolledBack> {
  return repeatTransaction(sql, async (tx): Promise<RolledBack> => {
    const cursor = await lockCursor(tx, network.name)
    await keepWatch(tx, network.name, watch)
    if (!cursor || cursor.height !== from.height || cursor.hash !== from.hash) return { kind: 'moved' }
    const refunds = await lockSettledAbove(tx, network.name, fork.height)
    // One statement locks all rows and reads them under the lock, so a confirmation under way has happened,
    // or will find the deposit reverted.
    const rows = await tx<DepositRow[]>`
      ${selectDeposits(tx)}
      WHERE deposit.network = ${network.name} AND deposit.block_number > ${fork.height}
        AND deposit.status IN ${members(tx, MINED_DEPOSITS)}
      ORDER BY deposit.id FOR UPDATE OF deposit`
    await lockConcerned(tx, rows, refunds)
    const events = rows.length === 0 ? [] : await revertDeposits(tx, network, rows, fork.height, cursor.now)
    await lowerOpenPayments(tx, network.name, from.height, fork.height)
    await unspendOutputs(tx, network.name, fork.height)
    await unspendInputs(tx, network.name, fork.height)
    events.push(...(await forgetRises(tx, network, fork.height)))
    await uncountSmall(tx, network.name, fork.height)
    await revertForeignSpends(tx, network.name, fork.height)
    await revertFalls(tx, network.name, fork.height)
    await forgetForeignNonces(tx, network.name, fork.height)
    events.push(...(await unmineTransactions(tx, network, fork.height)))
    const removed = await tx`
      DELETE FROM chain_blocks WHERE network = ${network.name} AND height > ${fork.height}`
    await tx`
      WITH noted AS (
        INSERT INTO chain_rollbacks (network, from_height, fork_height)
        VALUES (${network.name}, ${from.height}, ${fork.height})
      )
      UPDATE chain_cursors
      SET height = ${fork.height}, block_hash = ${fork.hash}, pruned_to = least(pruned_to, ${fork.height}),
          updated_at = clock_timestamp()
      WHERE network = ${network.name}`
    await appendEvents(tx, events)
    return { kind: 'rolled_back', blocks: removed.count, deposits: rows.length }
  })
}

async function unspendOutputs(tx: Transaction, network: string, height: number): Promise<void> {
  await tx`UPDATE utxos SET block_number = NULL WHERE network = ${network} AND block_number > ${height}`
  // An output that an own transaction spent stays reserved, because the same bytes are sent again.
  await tx`
    UPDATE utxos output
    SET spent_at_block = NULL,
        spent_by = (SELECT own.txid FROM attempts own WHERE own.network = output.network AND own.txid = output.spent_by)
    WHERE network = ${network} AND spent_at_block > ${height}`
}

/**
 * Sets transactions back to broadcast. A settled payout is followed again, and an exception notifies a
 * person.
 */
async function unmineTransactions(tx: Transaction, network: Network, height: number): Promise<NewEvent[]> {
  const lost = await readmitExcluded(tx, network.name, height)
  const rows = await tx<
    { merchant_id: string; payout_id: string; txid: string; block_hash: string; was: string }[]
  >`
    UPDATE attempts transaction
    SET state = 'broadcast', block_number = NULL, block_hash = NULL, target_height = NULL, succeeded = NULL,
        signalled_at = NULL, reorged_at = clock_timestamp()
    FROM (SELECT id, state, block_hash FROM attempts
          WHERE network = ${network.name} AND block_number > ${height} AND state IN ('mined', 'final') FOR UPDATE) AS before
    WHERE transaction.id = before.id
    RETURNING transaction.merchant_id, transaction.payout_id, transaction.txid, before.block_hash, before.state AS was`
  const settled = rows.filter((row) => row.was === 'final')
  await reopenWithdrawals(tx, network, [
    ...settled.map((row) => row.payout_id),
    ...lost.map((row) => row.payout_id),
  ])
  const readmitted = lost.map((row) => ({
    merchantId: row.merchant_id,
    kind: 'reorged' as const,
    detail: 'withdrawal.conflict_reverted',
    cause: `conflict_reverted:${row.payout_id}`,
    severity: 'critical' as const,
    subject: subjectOf(row.payout_id),
    reason:
      'A reorg took back the transaction that had excluded a payout. Its hold stands again, and the same bytes may still be mined',
    expected: 'failed',
    actual: 'open again',
    evidence: { network: network.name },
  }))
  const reverted = settled.map((row) => ({
    merchantId: row.merchant_id,
    kind: 'reorged' as const,
    detail: 'transaction.reverted_after_final',
    cause: `reorged:${row.payout_id}`,
    severity: 'critical' as const,
    subject: subjectOf(row.payout_id),
    reason:
      'The chain took back a settled transaction; its books were undone and the same bytes are sent again',
    expected: 'confirmed',
    actual: 'not in a block',
    evidence: { network: network.name, transaction_hash: row.txid, block_hash: row.block_hash },
  }))
  return raiseExceptions(tx, [...reverted, ...readmitted])
}

/**
 * Forgets conflicts that lay in blocks above a height.
 *
 * @returns The payouts that were given up because of one of them. A payout that no signer is known to have
 * signed stays ended: none of its bytes were ever sent, and its request has no value any more.
 */
async function readmitExcluded(
  tx: Transaction,
  network: string,
  height: number,
): Promise<{ readonly merchant_id: string; readonly payout_id: string }[]> {
  const excluded = await tx<{ payout_id: string }[]>`
    UPDATE attempts SET conflict_height = NULL
    WHERE network = ${network} AND conflict_height > ${height} RETURNING payout_id`
  if (excluded.length === 0) return []
  return tx<{ merchant_id: string; payout_id: string }[]>`
    SELECT merchant_id, id AS payout_id FROM payouts
    WHERE id = ANY (${[...new Set(excluded.map((row) => row.payout_id))]}) AND stage = 'failed'
      AND EXISTS (SELECT FROM attempts WHERE payout_id = payouts.id AND signed_transaction IS NOT NULL)
    ORDER BY id`
}
