/** Marks own transactions as mined. */

import type { Block } from '../../chains/adapter.js'
import type { Network } from '../../domain/chain/network.js'
import type { Transaction } from '../connect.js'
import { notify } from '../notices.js'

/**
 * Marks own outgoing transactions in the blocks as mined, with the height at which they are final. If a node
 * reported another block for one, the scanned block counts.
 *
 * @param spenders - Transactions that spent own outputs. They count in any state, also if they were replaced.
 */
export async function mineOwnTransactions(
  tx: Transaction,
  network: Network,
  blocks: readonly Block[],
  spenders: readonly string[],
): Promise<void> {
  const open = await tx<{ id: string; txid: string; required_confirmations: number | null }[]>`
    SELECT transaction.id, transaction.txid, withdrawal.required_confirmations
    FROM attempts transaction LEFT JOIN payouts withdrawal ON withdrawal.id = transaction.payout_id
    WHERE transaction.network = ${network.name} AND transaction.txid IS NOT NULL
      AND (transaction.state IN ('signed', 'broadcast', 'mined')
           OR transaction.state IN ('replaced', 'abandoned') AND transaction.txid = ANY (${[...spenders]}))`
  if (open.length === 0) return
  const wanted = new Map(open.map((each) => [each.txid, each]))
  const mined: { id: string; height: number; hash: string; target: number }[] = []
  for (const block of blocks) {
    for (const txid of block.txids) {
      const own = wanted.get(txid)
      if (!own) continue
      const required = own.required_confirmations ?? network.confirmations
      mined.push({ id: own.id, height: block.height, hash: block.hash, target: block.height + required - 1 })
    }
  }
  if (mined.length === 0) return
  // A poll that was ahead of the watcher may have settled one since it was read.
  await tx`
    UPDATE attempts transaction
    SET state = 'mined', block_number = mined.height, block_hash = mined.hash, target_height = mined.target,
        signalled_at = NULL, reorged_at = NULL
    FROM unnest(
      ${mined.map((each) => each.id)}::text[], ${mined.map((each) => each.height)}::bigint[],
      ${mined.map((each) => each.hash)}::text[], ${mined.map((each) => each.target)}::bigint[]
    ) AS mined (id, height, hash, target)
    WHERE transaction.id = mined.id AND transaction.state <> 'final'`
  await wakeSigners(
    tx,
    mined.map((each) => each.id),
  )
}

/** Wakes signers whose accounts have fewer transactions in flight now, where others wait for a nonce. */
async function wakeSigners(tx: Transaction, mined: readonly string[]): Promise<void> {
  const signers = await tx<{ id: string }[]>`
    SELECT DISTINCT waiting.signer_id AS id
    FROM attempts transaction
    JOIN attempts next ON next.from_address_id = transaction.from_address_id AND next.state = 'built' AND next.nonce IS NULL
    JOIN signing_requests waiting ON waiting.transaction_id = next.id AND waiting.state = 'queued'
    WHERE transaction.id = ANY (${[...mined]})`
  for (const { id } of signers) await notify(tx, 'signing_request', id)
}
