/** Writes everything that follows from blocks of a chain, and the cursor, in one transaction. */

import type { Block, Spend } from '../../chains/adapter.js'
import { byFamily } from '../../domain/chain/by-family.js'
import type { Network } from '../../domain/chain/network.js'
import { MINED_DEPOSITS, UNMINED_DEPOSITS } from '../../domain/deposits/deposit-sets.js'
import { inTransaction, type Sql, type Transaction } from '../connect.js'
import type { DepositRow } from '../deposits/deposit-row.js'
import { depositEvent } from '../deposits/deposit-view.js'
import { moveDeposit } from '../deposits/move-deposit.js'
import { insertDeposits, saveDeposits } from '../deposits/save-deposits.js'
import type { NewEvent } from '../events/log/append-events.js'
import { appendEvents } from '../events/log/append-events.js'
import { members } from '../members.js'
import { lockCursor } from '../networks/chain-cursor.js'
import { followDeposits } from '../payments/follow-deposits.js'
import type { AddressFilter } from './address-filter.js'
import { countSmall, partSmall } from './count-small.js'
import {
  comesBack,
  foreignOf,
  type Outgo,
  paidOutgoes,
  recordForeignSpends,
  spentOutgoes,
} from './foreign-spends.js'
import type { MinedTransfer } from './hit.js'
import { amountChange, detectedDeposit, type Hit, termsOf } from './hit.js'
import { mineOwnTransactions } from './mine-own-transactions.js'
import { paymentsOfReplaced } from './payments-of-replaced.js'
import { isPaidBy, isUnmined, lockPositions, rowsAt, superseded } from './positions.js'
import { inputsOf, recordInputs, spendInputs } from './record-inputs.js'
import { recordOutputs } from './record-outputs.js'
import { recordGrants } from './record-rises.js'
import { replaceConflicting } from './replace-conflicting.js'
import { spendOutputs } from './spend-outputs.js'
import { keepWatch, type Watch } from './take-watch.js'

export type Applied =
  | { readonly kind: 'applied'; readonly height: number }
  /** The first block does not follow the last one applied. */
  | { readonly kind: 'reorg' }
  /** Another watcher moved the cursor meanwhile; the caller reads it again. */
  | { readonly kind: 'moved' }

/**
 * Depth below which a double spend of a credited deposit is no longer distinguished from a disappearance.
 */
const INPUTS_KEPT_BLOCKS = 1_000

/**
 * Applies consecutive blocks, all or nothing: blocks, deposits with their events, outputs, spends, replaced
 * deposits, own mined transactions, cursor.
 *
 * @param blocks - Blocks linked by parent hash, beginning right above the cursor.
 * @param found - Every transfer in `blocks` to an own address, in the order of the chain.
 * @param filter - Finds most strangers among payers without a query.
 * @throws WatchLost if `watch` is not the latest.
 */
export async function applyBlocks(
  sql: Sql,
  network: Network,
  blocks: readonly Block[],
  found: readonly Hit<MinedTransfer>[],
  watch?: Watch,
  filter?: AddressFilter,
): Promise<Applied> {
  const first = blocks[0]
  const last = blocks.at(-1)
  if (!first || !last) throw new Error('There is no block to apply')
  return inTransaction(sql, async (tx): Promise<Applied> => {
    const cursor = await lockCursor(tx, network.name)
    await keepWatch(tx, network.name, watch)
    if (cursor?.height !== first.height - 1) return { kind: 'moved' }
    // The first block of all has no parent.
    if (first.height > 0 && cursor.hash !== first.parentHash) return { kind: 'reorg' }

    // A payment ends by the clock of the database, so its deposits are timed by the same one.
    const at = cursor.now
    const { recorded: hits, small } = await partSmall(tx, network.name, found)
    const { spent, outgoes } = await byFamily(network, {
      utxo: async (utxo) => {
        await recordOutputs(tx, utxo.name, hits)
        const spent = await spendOutputs(tx, utxo.name, blocks)
        return { spent, outgoes: await spentOutgoes(tx, utxo, spent) }
      },
      evm: async (evm) => ({ spent: [], outgoes: await paidOutgoes(tx, evm, blocks, filter) }),
    })
    const foreign = await foreignOf(tx, network.name, outgoes)
    const spends: Spend[] = []
    for (const block of blocks) for (const spend of block.spends) spends.push(spend)
    const { events, changed } = await recordDeposits(tx, network, blocks, hits, spends, foreign, at)
    events.push(...(await recordForeignSpends(tx, network, blocks, foreign, hits)))
    events.push(...(await recordGrants(tx, network, blocks, filter)))
    const replaced = await replaceConflicting(tx, network.name, spends, at)
    await Promise.all([
      saveDeposits(
        tx,
        replaced.map((each) => each.after),
      ),
      mineOwnTransactions(
        tx,
        network,
        blocks,
        spent.map((each) => each.by),
      ),
      recordInputs(tx, network.name, inputsOf(hits, spends)).then(() =>
        spendInputs(tx, network.name, blocks),
      ),
      pruneInputs(tx, network.name, first.height, last.height),
      insertBlocks(tx, network.name, blocks),
      countSmall(tx, network.name, small),
      tx`
        UPDATE chain_cursors
        SET height = ${last.height}, block_hash = ${last.hash}, head_height = greatest(head_height, ${last.height}),
            updated_at = clock_timestamp()
        WHERE network = ${network.name}`,
    ])
    for (const each of replaced)
      events.push(depositEvent(network, each.after, last.height, each.before.status))
    events.push(...(await followDeposits(tx, [...changed, ...replaced.map((each) => each.after)])))
    await appendEvents(tx, events)
    return { kind: 'applied', height: last.height }
  })
}

/**
 * Detects new deposits and makes them unconfirmed. Known ones that were in no block become unconfirmed with
 * what the block pays. Those that were in no block, and that the blocks' version of their transaction does
 * not pay, end.
 */
async function recordDeposits(
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

async function pruneInputs(tx: Transaction, network: string, from: number, to: number): Promise<void> {
  await tx`
    DELETE FROM deposit_inputs input USING deposits deposit
    WHERE deposit.network = ${network} AND deposit.status = 'success'
      AND deposit.block_number BETWEEN ${from - INPUTS_KEPT_BLOCKS} AND ${to - INPUTS_KEPT_BLOCKS}
      AND input.network = deposit.network AND input.txid = deposit.txid`
}

async function insertBlocks(tx: Transaction, network: string, blocks: readonly Block[]): Promise<void> {
  await tx`
    INSERT INTO chain_blocks (network, height, hash, parent_hash, time)
    SELECT ${network}, height, hash, parent_hash, to_timestamp(time)
    FROM unnest(
      ${blocks.map((block) => block.height)}::bigint[], ${blocks.map((block) => block.hash)}::text[],
      ${blocks.map((block) => block.parentHash)}::text[], ${blocks.map((block) => block.time)}::float8[]
    ) AS block (height, hash, parent_hash, time)`
}
