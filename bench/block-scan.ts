/**
 * Measures a full Bitcoin block with a thousand and with a million watched addresses, beside fetching and
 * parsing it alone.
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { advanceChain } from '../activities/chain/advance-chain.js'
import type { UtxoAdapter } from '../chains/adapter.js'
import { createUtxoAdapter } from '../chains/utxo/create-utxo-adapter.js'
import { type AddressFilter, createAddressFilter } from '../db/chain/address-filter.js'
import type { Sql } from '../db/connect.js'
import { createCursor, readCursor } from '../db/networks/chain-cursor.js'
import { findNetwork, type UtxoNetwork } from '../domain/chain/network.js'
import { loadNetworks } from '../networks/load-networks.js'
import { makeBlocks, type RawBlock } from './bitcoin-blocks.js'
import { startChild } from './child.js'
import type { BenchContext } from './context.js'
import { type Measurement, median } from './measurement.js'
import { createBenchMerchant, payeeOf } from './merchant.js'

const FEW = 1_000
const MANY = 1_000_000
/** Largest growth of the time of a block between the two. */
const GROWTH = 1.1
/** A full block of the main chain has some 6,000 outputs. */
const SHAPE = { transactions: 2_000, outputsPerTransaction: 3, inputsPerTransaction: 2 }
const HITS_PER_BLOCK = 10
const ROUNDS = 7
/** Blocks in a round. The first round warms everything up and does not count. */
const BLOCKS_PER_ROUND = 4

/** Runs the scan of the chain watcher over the same blocks in two databases. */
export async function benchBlockScan(context: BenchContext): Promise<Measurement[]> {
  const blocks = makeBlocks((ROUNDS + 1) * BLOCKS_PER_ROUND + 1, SHAPE, (height) =>
    Array.from({ length: HITS_PER_BLOCK }, (_, index) => payeeOf((height * HITS_PER_BLOCK + index) % FEW)),
  )
  const network = await startNode(context, blocks)
  const few = await watcher(context, network, blocks, FEW)
  context.progress(`  … ${MANY.toLocaleString('en')} addresses`)
  const many = await watcher(context, network, blocks, MANY)
  const bare = createUtxoAdapter(network, { flavour: 'core' })
  context.onEnd(() => bare.close())

  const rounds: { few: number; many: number; bare: number }[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const from = 1 + round * BLOCKS_PER_ROUND
    const to = from + BLOCKS_PER_ROUND - 1
    const times = {
      few: await timed(() => scan(few, to)),
      many: await timed(() => scan(many, to)),
      bare: await timed(() => fetchOnly(bare, from, to)),
    }
    if (round > 0) rounds.push(times)
  }
  await expectDeposits(few.sql, blocks)
  await expectDeposits(many.sql, blocks)

  const of = (side: 'few' | 'many' | 'bare') => median(rounds.map((each) => each[side])) / BLOCKS_PER_ROUND
  return [
    {
      name: 'block scan, 1,000,000 addresses',
      unit: 'ms/block',
      ours: of('many'),
      against: '1,000 addresses',
      reference: of('few'),
      ratio: median(rounds.map((each) => each.few / each.many)),
      expected: 1 / GROWTH,
    },
    {
      name: 'block scan, 1,000,000 addresses',
      unit: 'ms/block',
      ours: of('many'),
      against: 'fetch and parse alone',
      reference: of('bare'),
      ratio: median(rounds.map((each) => each.bare / each.many)),
      expected: null,
    },
  ]
}

interface Watcher {
  readonly sql: Sql
  readonly adapter: UtxoAdapter
  readonly filter: AddressFilter
  readonly blocks: readonly RawBlock[]
}

async function startNode(context: BenchContext, blocks: readonly RawBlock[]): Promise<UtxoNetwork> {
  const file = join(context.directory, 'bitcoin-blocks.json')
  await writeFile(file, JSON.stringify(blocks))
  const node = await startChild<{ port: number }>('./bitcoin-node.ts', { file })
  context.onEnd(() => node.stop())
  const networks = await loadNetworks(undefined, {
    BITCOIN_RPC_URLS: `http://bench:bench@127.0.0.1:${node.facts.port}`,
  })
  const network = findNetwork(networks, 'bitcoin')
  if (network.family !== 'utxo') throw new Error('bitcoin is of the UTXO family')
  // The adapter uses a node only when its first block is the one that names the network.
  const genesis = blocks[0]?.hash.slice(0, 32) ?? ''
  return { ...network, caip2: `bip122:${genesis}`, landmarks: [{ height: 0, hash: genesis }] }
}

async function watcher(
  context: BenchContext,
  network: UtxoNetwork,
  blocks: readonly RawBlock[],
  addresses: number,
): Promise<Watcher> {
  const { sql } = await context.database()
  const merchant = await createBenchMerchant(sql)
  await merchant.watch(network.name, addresses)
  await createCursor(sql, network.name, { height: 0, hash: blocks[0]?.hash ?? '' })
  const adapter = createUtxoAdapter(network, { flavour: 'core' })
  context.onEnd(() => adapter.close())
  return { sql, adapter, filter: createAddressFilter(network.name), blocks }
}

/** Runs one pass of the watcher, with the chain's head at `to`. */
async function scan({ sql, adapter, filter, blocks }: Watcher, to: number): Promise<void> {
  const head = { height: to, hash: blocks[to]?.hash ?? '' }
  await advanceChain(sql, { ...adapter, head: async () => head }, { filter })
}

async function fetchOnly(adapter: UtxoAdapter, from: number, to: number): Promise<void> {
  for (let next = from; next <= to; ) next += (await adapter.blocks(next, to)).length
}

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

/** Checks that the scan found every deposit. */
async function expectDeposits(sql: Sql, blocks: readonly RawBlock[]): Promise<void> {
  const expected = (blocks.length - 1) * HITS_PER_BLOCK
  const [row] = await sql<{ found: number }[]>`SELECT count(*)::integer AS found FROM deposits`
  const cursor = await readCursor(sql, 'bitcoin')
  if (row?.found !== expected || cursor?.height !== blocks.length - 1)
    throw new Error(`The scan found ${row?.found} of ${expected} deposits up to block ${cursor?.height}`)
}
