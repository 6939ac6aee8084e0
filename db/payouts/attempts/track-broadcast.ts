/** Tracks a signed payout: being sent, known to the network, mined. */

import type { Networks } from '../../../domain/chain/network.js'
import type { TransactionReplaced } from '../../../wire/event.js'
import { appendAudit } from '../../audit/append-audit.js'
import { inTransaction, type Sql, type Transaction } from '../../connect.js'
import { findPause } from '../../controls/pauses/find-pause.js'
import { appendEvent } from '../../events/log/append-event.js'
import { lockCursor } from '../../networks/chain-cursor.js'
import { movePayout } from '../move-payout.js'
import { lockWithdrawal, type PayoutRow } from '../payout-row.js'
import { readWithdrawalView } from '../withdrawals/read-withdrawal-view.js'

/**
 * Moves signed → broadcasting, before the first byte is sent, unless a pause of settlement stands.
 *
 * @returns The row as it is then.
 */
export async function startBroadcast(sql: Sql, networks: Networks, id: string): Promise<PayoutRow> {
  return inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    if (row.stage !== 'signed') return row
    const { merchant_id: merchantId, network, coin } = row
    if (await findPause(tx, { merchantId, network, coin })) return row
    return movePayout(tx, networks, row, { to: 'broadcasting', actor: 'system:withdrawal' })
  })
}

/**
 * Moves broadcasting → confirming when a node has the attempt, or it is mined already. The withdrawal then
 * shows a further attempt that a node has accepted, and the event `withdrawal.transaction_replaced` reports
 * it.
 *
 * @returns The row as it is then.
 */
export async function markBroadcast(
  sql: Sql,
  networks: Networks,
  id: string,
  transactionId: string,
): Promise<PayoutRow> {
  return inTransaction(sql, async (tx) => {
    let row = await lockWithdrawal(tx, id)
    const [sent] = await tx<{ txid: string }[]>`
      UPDATE attempts SET state = 'broadcast', broadcast_at = coalesce(broadcast_at, clock_timestamp())
      WHERE id = ${transactionId} AND state = 'signed' RETURNING txid`
    if (row.stage === 'broadcasting') {
      row = await movePayout(tx, networks, row, { to: 'confirming', actor: 'system:withdrawal' })
    }
    return sent ? showTransaction(tx, networks, row, sent.txid) : row
  })
}

/**
 * Stores the block of an attempt when the watcher has not scanned it yet; the watcher signals when it is deep
 * enough.
 *
 * The scanned chain has priority: a node that has another block at that height, or another attempt in one, is
 * on a branch that was left, or ahead of a reorg that the watcher has yet to see. Until they agree nothing is
 * stored, and nothing may be settled.
 *
 * @returns Whether the scanned chain does not contradict.
 */
export async function markMined(
  sql: Sql,
  networks: Networks,
  id: string,
  transactionId: string,
  mined: {
    readonly network: string
    readonly blockNumber: number
    readonly blockHash: string
    readonly required: number
  },
): Promise<boolean> {
  return inTransaction(sql, async (tx) => {
    // This lock comes first: the watcher locks in this order, and no block is scanned between the check and
    // the note.
    await lockCursor(tx, mined.network)
    const row = await lockWithdrawal(tx, id)
    if (await isContradicted(tx, id, transactionId, mined)) return false
    // A node may have reported another attempt as mined before.
    const [winner] = await tx<{ txid: string }[]>`
      WITH winner AS (
        UPDATE attempts
        SET state = 'mined', block_number = ${mined.blockNumber}, block_hash = ${mined.blockHash},
            target_height = ${mined.blockNumber + mined.required - 1}, conflict_height = NULL
        WHERE id = ${transactionId} AND state IN ('signed', 'broadcast', 'mined') RETURNING txid
      ), other AS (
        UPDATE attempts SET state = 'broadcast', block_number = NULL, block_hash = NULL, target_height = NULL
        WHERE payout_id = ${id} AND id <> ${transactionId} AND state = 'mined' AND EXISTS (SELECT FROM winner)
      )
      SELECT txid FROM winner`
    if (!winner) return true
    await showTransaction(tx, networks, row, winner.txid)
    return true
  })
}

/**
 * Whether the scanned chain has another block at that height, or has an attempt of this payout in another
 * place.
 */
async function isContradicted(
  tx: Transaction,
  id: string,
  transactionId: string,
  mined: { readonly network: string; readonly blockNumber: number; readonly blockHash: string },
): Promise<boolean> {
  const contradictions = await tx`
    SELECT FROM chain_blocks
    WHERE network = ${mined.network} AND height = ${mined.blockNumber} AND hash <> ${mined.blockHash}
    UNION ALL
    SELECT FROM attempts seen
    JOIN chain_blocks block
      ON block.network = seen.network AND block.height = seen.block_number AND block.hash = seen.block_hash
    WHERE seen.payout_id = ${id} AND seen.state = 'mined'
      AND (seen.id <> ${transactionId} OR seen.block_hash <> ${mined.blockHash})`
  return contradictions.length > 0
}

/**
 * Makes `transaction_hash` the hash of the attempt that is in the mempool or the chain, and appends an event
 * when it changes.
 */
async function showTransaction(
  tx: Transaction,
  networks: Networks,
  row: PayoutRow,
  txid: string,
): Promise<PayoutRow> {
  if (row.transaction_hash === txid) return row
  await tx`UPDATE payouts SET transaction_hash = ${txid}, updated_at = clock_timestamp() WHERE id = ${row.id}`
  await appendAudit(tx, {
    merchantId: row.merchant_id,
    actor: 'system:chain',
    action: 'withdrawal.transaction_replaced',
    subject: row.id,
    data: { transaction_hash: txid, previous_transaction_hash: row.transaction_hash },
  })
  const shown = { ...row, transaction_hash: txid }
  if (row.kind !== 'withdrawal') return shown
  const view = await readWithdrawalView(tx, networks, row.id)
  if (!view) throw new Error(`Withdrawal ${row.id} does not exist`)
  await appendEvent(tx, {
    merchantId: row.merchant_id,
    type: 'withdrawal.transaction_replaced',
    subject: row.id,
    data: { ...view, previous_transaction_hash: row.transaction_hash } satisfies TransactionReplaced,
  })
  return shown
}

/**
 * Unmarks an attempt as mined when the scanned chain has another block at that height. A node had reported it
 * before the block left its chain, and the watcher never scanned it. If the other block contained the
 * attempt, the watcher would have marked it.
 */
export async function unmineOrphaned(tx: Transaction, id: string): Promise<void> {
  await tx`
    UPDATE attempts attempt SET state = 'broadcast', block_number = NULL, block_hash = NULL, target_height = NULL
    FROM chain_blocks block
    WHERE attempt.payout_id = ${id} AND attempt.state = 'mined'
      AND block.network = attempt.network AND block.height = attempt.block_number AND block.hash <> attempt.block_hash`
}
