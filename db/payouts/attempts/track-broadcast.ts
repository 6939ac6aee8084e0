/** A signed withdrawal on its way: being sent, known to the network, mined. */

import type { Networks } from '../../../domain/chain/network.js'
import { appendAudit } from '../../audit/append-audit.js'
import { inTransaction, type Sql, type Transaction } from '../../connect.js'
import { appendEvent } from '../../events/log/append-event.js'
import { lockCursor } from '../../networks/chain-cursor.js'
import { movePayout } from '../move-payout.js'
import { lockWithdrawal, type PayoutRow } from '../payout-row.js'
import { readWithdrawalView } from '../withdrawals/read-withdrawal-view.js'

/** Signed → broadcasting, before the first byte leaves. */
export async function startBroadcast(sql: Sql, networks: Networks, id: string): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    if (row.stage !== 'signed') return
    await movePayout(tx, networks, row, { to: 'broadcasting', actor: 'system:withdrawal' })
  })
}

/**
 * Broadcasting → confirming: a node has it, or it is mined already. A further attempt that a node has taken
 * is what the withdrawal shows from then on, and the event `withdrawal.transaction_replaced` says so.
 */
export async function markBroadcast(
  sql: Sql,
  networks: Networks,
  id: string,
  transactionId: string,
): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    const [sent] = await tx<{ txid: string }[]>`
      UPDATE attempts SET state = 'broadcast', broadcast_at = coalesce(broadcast_at, clock_timestamp())
      WHERE id = ${transactionId} AND state = 'signed' RETURNING txid`
    if (row.stage === 'broadcasting') {
      await movePayout(tx, networks, row, { to: 'confirming', actor: 'system:withdrawal' })
    }
    if (sent) await showTransaction(tx, networks, row, sent.txid)
  })
}

/**
 * Takes note of a block, where the watcher has not seen it yet; the watcher signals when it is deep enough.
 * What the watcher has scanned stands: a node that has another block at that height, or another attempt in
 * one, is on a branch that was left, or ahead of a reorganisation that the watcher will come to. Until they
 * agree nothing is noted, and nothing may be settled.
 *
 * @returns Whether the scanned chain says nothing else.
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
    // First: the watcher locks in this order, and nothing is scanned between the look and the note.
    await lockCursor(tx, mined.network)
    const row = await lockWithdrawal(tx, id)
    if (await isContradicted(tx, id, transactionId, mined)) return false
    const [winner] = await tx<{ txid: string }[]>`
      UPDATE attempts
      SET state = 'mined', block_number = ${mined.blockNumber}, block_hash = ${mined.blockHash},
          target_height = ${mined.blockNumber + mined.required - 1}, conflict_height = NULL
      WHERE id = ${transactionId} AND state IN ('signed', 'broadcast', 'mined') RETURNING txid`
    if (!winner) return true
    // A node had said so of another one before.
    await tx`
      UPDATE attempts SET state = 'broadcast', block_number = NULL, block_hash = NULL, target_height = NULL
      WHERE payout_id = ${id} AND id <> ${transactionId} AND state = 'mined'`
    await showTransaction(tx, networks, row, winner.txid)
    return true
  })
}

/** Whether the scanned chain has another block at that height, or an attempt of this payment in another place. */
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
 * Makes `transaction_hash` that of the attempt which is in the mempool or the chain, and tells the merchant
 * when it changes.
 */
async function showTransaction(
  tx: Transaction,
  networks: Networks,
  row: PayoutRow,
  txid: string,
): Promise<void> {
  if (row.transaction_hash === txid) return
  await tx`UPDATE payouts SET transaction_hash = ${txid}, updated_at = clock_timestamp() WHERE id = ${row.id}`
  await appendAudit(tx, {
    merchantId: row.merchant_id,
    actor: 'system:chain',
    action: 'withdrawal.transaction_replaced',
    subject: row.id,
    data: { transaction_hash: txid, previous_transaction_hash: row.transaction_hash },
  })
  if (row.kind !== 'withdrawal') return
  const view = await readWithdrawalView(tx, networks, row.id)
  if (!view) throw new Error(`Withdrawal ${row.id} does not exist`)
  await appendEvent(tx, {
    merchantId: row.merchant_id,
    type: 'withdrawal.transaction_replaced',
    subject: row.id,
    data: { ...view, previous_transaction_hash: row.transaction_hash },
  })
}

/**
 * Takes back that an attempt is mined where the scanned chain has another block at that height: a node had
 * said so before the block left its chain, and the watcher never came to it. Had the attempt been in the
 * other block, it would say so.
 */
export async function unmineOrphaned(tx: Transaction, id: string): Promise<void> {
  await tx`
    UPDATE attempts attempt SET state = 'broadcast', block_number = NULL, block_hash = NULL, target_height = NULL
    FROM chain_blocks block
    WHERE attempt.payout_id = ${id} AND attempt.state = 'mined'
      AND block.network = attempt.network AND block.height = attempt.block_number AND block.hash <> attempt.block_hash`
}
