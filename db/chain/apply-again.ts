/**
 * Applies blocks that the cursor has passed once more, for what the watcher may have missed in them. What it recorded
 * stays as it is.
 */

import type { Block, Spend } from '../../chains/adapter.js'
import { byFamily } from '../../domain/chain/by-family.js'
import type { Network } from '../../domain/chain/network.js'
import type { Sql, Transaction } from '../connect.js'
import type { DepositRow } from '../deposits/deposit-row.js'
import { depositEvent } from '../deposits/deposit-view.js'
import { saveDeposits } from '../deposits/save-deposits.js'
import { appendEvents } from '../events/log/append-events.js'
import { type ChainCursor, lockCursor } from '../networks/chain-cursor.js'
import { followDeposits } from '../payments/follow-deposits.js'
import { repeatTransaction } from '../repeat-transaction.js'
import { countSmallAgain, partSmall } from './count-small.js'
import { explainRises } from './explain-rises.js'
import { foreignOf, type Outgo, paidOutgoes, recordForeignSpends, spentOutgoes } from './foreign-spends.js'
import type { Hit, MinedTransfer } from './hit.js'
import { mineOwnTransactions } from './mine-own-transactions.js'
import { recordDeposits } from './record-deposits.js'
import { inputsOf, recordInputs, spendInputs } from './record-inputs.js'
import { recordOutputs } from './record-outputs.js'
import { recordGrants } from './record-rises.js'
import { replaceConflicting } from './replace-conflicting.js'
import { spendOutputs } from './spend-outputs.js'

export type AppliedAgain =
  | { readonly kind: 'applied'; readonly deposits: readonly DepositRow[] }
  /** The scanned chain has other blocks there, or does not reach so far. The caller reads again. */
  | { readonly kind: 'other_chain' }

/**
 * Records what is missing of these blocks, all or nothing, by the same steps as the watcher. It takes the watcher's
 * lock, so of the two only one records a deposit.
 *
 * @param blocks - Blocks of the chain of `head`, linked by parent hash.
 * @param found - Every transfer in `blocks` to an own address, in the order of the chain.
 * @param head - The cursor when the blocks were read. They are below it on its chain.
 * @param store - Stores progress in the same transaction, which may run more than once.
 * @returns The deposits that were not in a block before.
 */
export async function applyAgain(
  sql: Sql,
  network: Network,
  blocks: readonly Block[],
  found: readonly Hit<MinedTransfer>[],
  head: ChainCursor,
  store: (tx: Transaction, deposits: readonly DepositRow[]) => Promise<void> = async () => {},
): Promise<AppliedAgain> {
  return repeatTransaction(sql, async (tx): Promise<AppliedAgain> => {
    const cursor = await lockCursor(tx, network.name)
    if (!cursor || !(await isScanned(tx, network.name, cursor, head, blocks))) return { kind: 'other_chain' }
    const at = cursor.now
    const { recorded, small } = await partSmall(tx, network.name, found)
    const { spent, outgoes } = await byFamily(network, {
      utxo: async (utxo) => {
        await recordOutputs(tx, utxo.name, recorded)
        const spent = await spendOutputs(tx, utxo.name, blocks)
        return { spent, outgoes: await spentOutgoes(tx, utxo, spent) }
      },
      evm: async (evm) => ({ spent: [], outgoes: await paidOutgoes(tx, evm, blocks) }),
    })
    const known = await knownForeign(tx, network.name, [
      ...recorded.map((hit) => hit.transfer.txid),
      ...outgoes.map((outgo) => outgo.txid),
    ])
    const foreign = (await foreignOf(tx, network.name, outgoes)).filter(
      (outgo) => !known.has(foreignKey(outgo)),
    )
    // What came back with a foreign transaction was booked with it, and is no deposit.
    const hits = recorded.map((hit) =>
      known.has(foreignKey({ txid: hit.transfer.txid, merchantId: hit.address.merchantId }))
        ? { ...hit, deposit: false }
        : hit,
    )
    const spends: Spend[] = blocks.flatMap((block) => block.spends)
    const { events, changed } = await recordDeposits(tx, network, blocks, hits, spends, foreign, at)
    events.push(...(await recordForeignSpends(tx, network, blocks, foreign, hits)))
    events.push(...(await recordGrants(tx, network, blocks)))
    const replaced = await replaceConflicting(tx, network.name, spends, at)
    await saveDeposits(
      tx,
      replaced.map((each) => each.after),
    )
    await mineOwnTransactions(
      tx,
      network,
      blocks,
      spent.map((each) => each.by),
    )
    await recordInputs(tx, network.name, inputsOf(hits, spends))
    await spendInputs(tx, network.name, blocks)
    await keepHeaders(tx, network.name, blocks, [...changed.map((row) => row.txid), ...txidsOf(foreign)])
    await countSmallAgain(tx, network.name, small)
    const deposits = changed.filter((row) => row.status === 'unconfirmed')
    events.push(...(await explainRises(tx, network, deposits)))
    for (const each of replaced)
      events.push(depositEvent(network, each.after, cursor.height, each.before.status))
    events.push(...(await followDeposits(tx, [...changed, ...replaced.map((each) => each.after)])))
    await appendEvents(tx, events)
    await store(tx, deposits)
    return { kind: 'applied', deposits }
  })
}

/** Whether `head` is still on the scanned chain, and no scanned block contradicts the blocks. */
async function isScanned(
  tx: Transaction,
  network: string,
  cursor: ChainCursor,
  head: ChainCursor,
  blocks: readonly Block[],
): Promise<boolean> {
  const [first, last] = [blocks[0], blocks.at(-1)]
  if (!first || !last || last.height > head.height) return false
  const rows = await tx<{ height: bigint; hash: string }[]>`
    SELECT height, hash FROM chain_blocks
    WHERE network = ${network} AND (height = ${head.height} OR height BETWEEN ${first.height} AND ${last.height})`
  const scanned = new Map(rows.map((row) => [Number(row.height), row.hash]))
  if ((cursor.height === head.height ? cursor.hash : scanned.get(head.height)) !== head.hash) return false
  return blocks.every((block) => (scanned.get(block.height) ?? block.hash) === block.hash)
}

const foreignKey = ({ txid, merchantId }: Pick<Outgo, 'txid' | 'merchantId'>) => `${txid} ${merchantId}`
const txidsOf = (outgoes: readonly Outgo[]) => outgoes.map((outgo) => outgo.txid)

async function knownForeign(
  tx: Transaction,
  network: string,
  txids: readonly string[],
): Promise<ReadonlySet<string>> {
  if (txids.length === 0) return new Set()
  const rows = await tx<{ txid: string; merchantId: string }[]>`
    SELECT txid, merchant_id AS "merchantId" FROM foreign_spends
    WHERE network = ${network} AND txid = ANY (${[...new Set(txids)]})`
  return new Set(rows.map(foreignKey))
}

/** Keeps the headers of blocks on which something stands. They may have been pruned, and a deposit needs its own. */
async function keepHeaders(
  tx: Transaction,
  network: string,
  blocks: readonly Block[],
  txids: readonly string[],
): Promise<void> {
  const wanted = new Set(txids)
  const kept = blocks.filter((block) => block.txids.some((txid) => wanted.has(txid)))
  if (kept.length === 0) return
  await tx`
    INSERT INTO chain_blocks (network, height, hash, parent_hash, time)
    SELECT ${network}, height, hash, parent_hash, to_timestamp(time)
    FROM unnest(
      ${kept.map((block) => block.height)}::bigint[], ${kept.map((block) => block.hash)}::text[],
      ${kept.map((block) => block.parentHash)}::text[], ${kept.map((block) => block.time)}::float8[]
    ) AS block (height, hash, parent_hash, time)
    ON CONFLICT (network, height) DO NOTHING`
}
