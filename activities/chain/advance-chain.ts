/** Brings the scanned chain up to the node's head: blocks in order, never one left out, reorgs undone first. */

import type { Block, BlockRef, ChainAdapter, Transfer } from '../../chains/adapter.js'
import { applyBlocks } from '../../db/chain/apply-blocks.js'
import { blockHashAt } from '../../db/chain/block-hash-at.js'
import { findFork } from '../../db/chain/find-fork.js'
import type { Hit, MinedTransfer } from '../../db/chain/hit.js'
import { type Match, matchTransfers } from '../../db/chain/match-transfers.js'
import { rollBack } from '../../db/chain/roll-back.js'
import type { Watch } from '../../db/chain/take-watch.js'
import type { Sql } from '../../db/connect.js'
import { type ChainCursor, readCursor } from '../../db/networks/chain-cursor.js'
import { describeMatches } from './describe-matches.js'
import { placeCursor } from './place-cursor.js'

/** Blocks asked for at a time while catching up; the adapter gives fewer where they are large. */
const RANGE = 100
/** Ranges read while one is written: the node and the database answer in their own time, and both should be busy. */
const AHEAD = 2
const WAITING_EVERY_MS = 1_000
/** Beyond, waiting is a standstill: an adapter gives every request an end long before. */
const LONGEST_WAIT_MS = 1_800_000

export interface AdvanceOptions {
  readonly signal?: AbortSignal
  /** Called with the node's head before the first block. */
  readonly onHead?: (head: BlockRef, cursor: ChainCursor) => Promise<void>
  /** Called after every commit. */
  readonly onProgress?: (cursor: ChainCursor) => void
  /** Whether details that the node does not give are left out instead of stopping the scan. */
  readonly tolerant?: boolean
  /** Called every second while blocks are waited for: a node may take minutes for a large one, and that is no standstill. */
  readonly onWaiting?: () => void
  /** The right to write; absent where nothing competes for it. */
  readonly watch?: Watch
  /** Called with blocks whose payments by contracts could not be seen, once they are written. */
  readonly onUntraced?: (from: number, to: number) => void
}

export interface Advanced {
  readonly head: BlockRef
  readonly cursor: ChainCursor
  /** Blocks taken back. */
  readonly rolledBack: number
}

/** One pass. @throws What the node or the database throws; everything committed before stays. */
export async function advanceChain(
  sql: Sql,
  adapter: ChainAdapter,
  options: AdvanceOptions = {},
): Promise<Advanced> {
  const { name } = adapter.network
  const head = await adapter.head()
  let cursor = (await readCursor(sql, name)) ?? (await placeCursor(sql, adapter, head))
  let rolledBack = 0
  await options.onHead?.(head, cursor)

  // A node below us that agrees with us is merely behind; one that disagrees has seen a reorg.
  if (head.height <= cursor.height) {
    const ours = head.height === cursor.height ? cursor.hash : await blockHashAt(sql, name, head.height)
    if (ours === null || ours === head.hash) return { head, cursor, rolledBack }
    rolledBack += await undo(sql, adapter, cursor, head.height, options.watch)
    cursor = (await readCursor(sql, name)) ?? cursor
    options.onProgress?.(cursor)
  }

  const readOn = (from: number) => readAhead(sql, adapter, from, head.height, options.tolerant ?? false)
  let next = readOn(cursor.height + 1)
  while (cursor.height < head.height && !options.signal?.aborted) {
    const { blocks, hits, last } = await whileWaiting(next(), options.onWaiting)
    // What comes after the end was waited for in vain.
    if (options.signal?.aborted) break
    const applied = await applyBlocks(sql, adapter.network, blocks, hits, options.watch)
    if (applied.kind === 'applied') {
      cursor = { height: last.height, hash: last.hash }
      const untraced = blocks.filter((block) => block.untraced)
      const [first] = untraced
      if (first) options.onUntraced?.(first.height, untraced.at(-1)?.height ?? first.height)
    } else {
      if (applied.kind === 'reorg')
        rolledBack += await undo(sql, adapter, cursor, cursor.height, options.watch)
      cursor = (await readCursor(sql, name)) ?? cursor
      // What was read ahead is of another chain now.
      next = readOn(cursor.height + 1)
    }
    options.onProgress?.(cursor)
  }
  return { head, cursor, rolledBack }
}

async function whileWaiting<T>(work: Promise<T>, onWaiting: (() => void) | undefined): Promise<T> {
  if (!onWaiting) return work
  const end = Date.now() + LONGEST_WAIT_MS
  const timer = setInterval(() => {
    if (Date.now() < end) onWaiting()
  }, WAITING_EVERY_MS)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}

/** All blocks in one probe; only what matched learns which block it is in. */
async function matchBlocks(
  sql: Sql,
  network: string,
  blocks: readonly Block[],
): Promise<Match<MinedTransfer>[]> {
  const transfers: Transfer[] = []
  for (const block of blocks) for (const transfer of block.transfers) transfers.push(transfer)
  const matched = new Map(
    (await matchTransfers(sql, network, transfers)).map((match) => [match.transfer, match.address]),
  )
  if (matched.size === 0) return []
  return blocks.flatMap((block) =>
    block.transfers.flatMap((transfer) => {
      const address = matched.get(transfer)
      return address ? [{ transfer: { ...transfer, block }, address }] : []
    }),
  )
}

/** The part of a fetched range that is one chain; where the node changed its mind in between, the rest is fetched anew. */
function linked(blocks: readonly Block[], from: number): Block[] {
  const chain: Block[] = []
  for (const block of blocks) {
    const below = chain.at(-1)
    if (block.height !== from + chain.length || (below && block.parentHash !== below.hash)) break
    chain.push(block)
  }
  return chain
}

/** Consecutive blocks with what they pay to addresses of ours: ready to be written. */
interface Range {
  readonly blocks: readonly Block[]
  readonly hits: readonly Hit<MinedTransfer>[]
  readonly last: Block
}

/**
 * Reads one range after the other while earlier ones are written. Each is matched after it was fetched, so an address that it
 * can pay is known by then.
 *
 * @returns What gives the next range, beginning with the one at `first`.
 */
function readAhead(sql: Sql, adapter: ChainAdapter, first: number, head: number, tolerant: boolean) {
  const { name } = adapter.network
  const ranges: Promise<Range>[] = []
  let from = Promise.resolve(first)

  async function fetch(height: number): Promise<Block[]> {
    return height > head
      ? []
      : linked(await adapter.blocks(height, Math.min(head, height + RANGE - 1)), height)
  }

  async function describe(height: number, blocks: readonly Block[]): Promise<Range> {
    const last = blocks.at(-1)
    if (!last) throw new Error(`The node of ${name} gave no block ${height}`)
    const matches = await matchBlocks(sql, name, blocks)
    const hits = await describeMatches(sql, adapter, matches, tolerant)
    return { blocks, hits, last }
  }

  function read(height: Promise<number>): void {
    const blocks = height.then(fetch)
    from = blocks.then(async (some) => (await height) + some.length)
    const range = blocks.then(async (some) => describe(await height, some))
    // Thrown where it is awaited, if it ever is.
    from.catch(() => {})
    range.catch(() => {})
    ranges.push(range)
  }

  return async (): Promise<Range> => {
    while (ranges.length <= AHEAD) read(from)
    return ranges.shift() as Promise<Range>
  }
}

/** @param differsAt - Where the node has another block than we scanned. */
async function undo(
  sql: Sql,
  adapter: ChainAdapter,
  cursor: ChainCursor,
  differsAt: number,
  watch: Watch | undefined,
): Promise<number> {
  const fork = await findFork(sql, adapter, differsAt)
  const result = await rollBack(sql, adapter.network, cursor, fork, watch)
  return result.kind === 'rolled_back' ? result.blocks : 0
}
