/** Records the deposits of blocks, for the watcher and for a rescan alike. */

import type { Block, Spend } from '../../chains/adapter.js'
import { byFamily } from '../../domain/chain/by-family.js'
import type { Network } from '../../domain/chain/network.js'
import { MINED_DEPOSITS, UNMINED_DEPOSITS } from '../../domain/deposits/deposit-sets.js'
import type { Transaction } from '../connect.js'
import type { DepositRow } from '../deposits/deposit-row.js'
import { depositEvent } from '../deposits/deposit-view.js'
import { moveDeposit } from '../deposits/move-deposit.js'
import { insertDeposits, saveDeposits } from '../deposits/save-deposits.js'
import type { NewEvent } from '../events/log/append-events.js'
import { members } from '../members.js'
import { comesBack, type Outgo } from './foreign-spends.js'
import { amountChange, detectedDeposit, type Hit, type MinedTransfer, termsOf } from './hit.js'
import { paymentsOfReplaced } from './payments-of-replaced.js'
import { isPaidBy, isUnmined, lockPositions, rowsAt, superseded } from './positions.js'

/**
 * Detects new deposits and makes them unconfirmed. Known ones that were in no block become unconfirmed with
 * what the block pays. Those that were in no block, and that the blocks' version of their transaction does
 * not pay, end.
 */
export async function recordDeposits(
  tx: Transaction,
  network: Network,
  blocks: readonly Block[],
  hits: readonly Hit<MinedTransfer>[],
  spends: readonly Spend[],
  foreign: readonly Outgo[],
  at: Date,
): Promise<{ readonly events: NewEvent[]; readonly changed: readonly DepositRow[] }> {
  const height = blocks.at(-1)?.height ?? null
  const deposits = hits.filter((hit) => hit.deposit && !comesBack(foreign, hit))
  const waiting = await byFamily(network, {
    utxo: () => comingBack(foreign, hits),
    evm: ({ name }) => minedUnmined(tx, name, blocks),
  })
  const txids = new Set([...deposits.map((hit) => hit.transfer.txid), ...waiting.keys()])
  if (txids.size === 0) return { events: [], changed: [] }
  const positions = await lockPositions(tx, network, txids)
  const fresh = deposits.filter((hit) => !rowsAt(positions, hit).some((row) => isPaidBy(row, hit)))
  const replaced = await paymentsOfReplaced(tx, network.name, fresh, spends)
  const events: NewEvent[] = []
  const inserted: DepositRow[] = []
  const saved: DepositRow[] = []
  const paid = new Set<string>()
  for (const hit of deposits) {
    const { block } = hit.transfer
    const seen = rowsAt(positions, hit)
    const known = seen.find((row) => isPaidBy(row, hit))
    if (known) paid.add(known.id)
    const row =
      known ??
      detectedDeposit(network, hit, at, `Seen in block ${block.height}`, seen.length, block, replaced)
    if (!known) events.push(depositEvent(network, row, null, null))
    if (MINED_DEPOSITS[row.status]) continue
    const terms = termsOf(network, hit, row)
    const cause = `Mined in block ${block.height}${amountChange(network, hit, row)}`
    const mined = moveDeposit(row, 'unconfirmed', at, cause, {
      ...terms,
      block_number: BigInt(block.height),
      block_hash: block.hash,
      block_time: new Date(block.time * 1000),
      target_height: BigInt(block.height + terms.required_confirmations - 1),
      signalled_at: null,
      replaced_by: null,
      absent_since: null,
      // Its workflow ended when it was reverted or replaced.
      ...(row.status === 'detected' ? {} : { workflow_started_at: null }),
    })
    events.push(depositEvent(network, mined, height, row.status))
    if (known) saved.push(mined)
    else inserted.push(mined)
  }
  const ended: DepositRow[] = []
  for (const row of [...positions.values()].flat()) {
    const block = waiting.get(row.txid)
    if (block === undefined || paid.has(row.id) || !isUnmined(row)) continue
    const after = superseded(row, at, `Its transaction was mined in block ${block} and does not pay it`)
    events.push(depositEvent(network, after, height, row.status))
    ended.push(after)
  }
  // Ended rows are written first, because only one deposit may stand at a place.
  await saveDeposits(tx, ended)
  await Promise.all([insertDeposits(tx, inserted), saveDeposits(tx, saved)])
  return { events, changed: [...ended, ...inserted, ...saved] }
}

/** Returns transactions of the blocks that have deposits in no block, with their heights. */
async function minedUnmined(
  tx: Transaction,
  network: string,
  blocks: readonly Block[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await tx<{ txid: string }[]>`
    SELECT DISTINCT txid FROM deposits WHERE network = ${network} AND status IN ${members(tx, UNMINED_DEPOSITS)}`
  const waiting = new Set(rows.map((row) => row.txid))
  const mined = new Map<string, number>()
  if (waiting.size === 0) return mined
  for (const block of blocks) {
    for (const txid of block.txids) if (waiting.has(txid)) mined.set(txid, block.height)
  }
  return mined
}

/**
 * Returns transactions that took from a merchant and pay it, with their heights. Their mempool sightings are
 * no deposits.
 */
function comingBack(foreign: readonly Outgo[], hits: readonly Hit<MinedTransfer>[]): Map<string, number> {
  const back = hits.filter((hit) => comesBack(foreign, hit))
  return new Map(back.map(({ transfer }) => [transfer.txid, transfer.block.height]))
}
