/** Writes everything that follows from blocks of a chain, and the cursor, in one transaction. */

import type { Block, Spend } from '../../chains/adapter.js'
import { byFamily } from '../../domain/chain/by-family.js'
import type { Network } from '../../domain/chain/network.js'
import { inTransaction, type Sql, type Transaction } from '../connect.js'
import { depositEvent } from '../deposits/deposit-view.js'
import { saveDeposits } from '../deposits/save-deposits.js'
import { appendEvents } from '../events/log/append-events.js'
import { lockCursor } from '../networks/chain-cursor.js'
import { followDeposits } from '../payments/follow-deposits.js'
import type { AddressFilter } from './address-filter.js'
import { countSmall, partSmall } from './count-small.js'
import { foreignOf, paidOutgoes, recordForeignSpends, spentOutgoes } from './foreign-spends.js'
import type { Hit, MinedTransfer } from './hit.js'
import { mineOwnTransactions } from './mine-own-transactions.js'
import { recordDeposits } from './record-deposits.js'
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
