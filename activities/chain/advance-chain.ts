/**
 * Brings the scanned chain up to the node's head: blocks in order, without a gap, after reorgs are undone.
 */

import type { Block, BlockRef, ChainAdapter } from '../../chains/adapter.js'
import type { AddressFilter } from '../../db/chain/address-filter.js'
import { applyBlocks } from '../../db/chain/apply-blocks.js'
import { blockHashAt } from '../../db/chain/block-hash-at.js'
import { findFork } from '../../db/chain/find-fork.js'
import type { Hit, MinedTransfer } from '../../db/chain/hit.js'
import { rollBack } from '../../db/chain/roll-back.js'
import type { Watch } from '../../db/chain/take-watch.js'
import type { Sql } from '../../db/connect.js'
import { type ChainCursor, readCursor } from '../../db/networks/chain-cursor.js'
import { describeMatches } from './describe-matches.js'
import { linked, matchBlocks } from './match-blocks.js'
import { placeCursor } from './place-cursor.js'

/** Blocks from which on a range is written. The adapter gives fewer at once, and the range reads on. */
const RANGE = 100
/** Transfers from which on a range is written although it has fewer blocks. */
const SPARSE = 2_000
/** Ranges read while one is written, so that both the node and the database are busy. */
const AHEAD = 2
const WAITING_EVERY_MS = 1_000
/**
 * Longest wait for blocks, in milliseconds. Longer is a standstill, because an adapter ends every request
 * long before.
 */
const LONGEST_WAIT_MS = 1_800_000

export interface AdvanceOptions {
  readonly signal?: AbortSignal
  /** Receives the node's head before the first block. */
  readonly onHead?: (head: BlockRef, cursor: ChainCursor) => Promise<void>
  /** Receives the cursor after every commit. */
  readonly onProgress?: (cursor: ChainCursor) => void
  /** Whether details that the node does not give are left out instead of stopping the scan. */
  readonly tolerant?: boolean
  /**
   * Called every second while blocks are awaited. A node may take minutes for a large one, which is no
   * standstill.
   */
  readonly onWaiting?: () => void
  /** Right to write. Absent if nothing competes for it. */
  readonly watch?: Watch
  /** Finds most strangers without a query. Absent: every payee is looked up. */
  readonly filter?: AddressFilter
  /** Receives blocks in which transfers by contracts could not be seen, once they are written. */
  readonly onUntraced?: (from: number, to: number) => void
}

export interface Advanced {
  readonly head: BlockRef
  readonly cursor: ChainCursor
  /** Number of reverted blocks. */
  readonly rolledBack: number
}

/** Makes one pass. @throws Any error of the node or the database. Everything committed before stays. */
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

  // A node below our height that agrees with us is merely behind. One that disagrees has seen a reorg.
  if (head.height <= cursor.height) {
    const ours = head.height === cursor.height ? cursor.hash : await blockHashAt(sql, name, head.height)
    if (ours === null || ours === head.hash) return { head, cursor, rolledBack }
    rolledBack += await undo(sql, adapter, cursor, head.height, options.watch)
    cursor = (await readCursor(sql, name)) ?? cursor
    options.onProgress?.(cursor)
  }

  const readOn = (from: number) => readAhead(sql, adapter, from, head.height, options)
  let next = readOn(cursor.height + 1)
  while (cursor.height < head.height && !options.signal?.aborted) {
    const { blocks, hits, last } = await whileWaiting(next(), options.onWaiting)
    // The wait is over, so what comes now is of no use.
    if (options.signal?.aborted) break
    const applied = await applyBlocks(sql, adapter.network, blocks, hits, options.watch, options.filter)
    if (applied.kind === 'applied') {
      cursor = { height: last.height, hash: last.hash }
      const untraced = blocks.filter((block) => block.untraced)
      const [first] = untraced
      if (first) options.onUntraced?.(first.height, untraced.at(-1)?.height ?? first.height)
    } else {
      if (applied.kind === 'reorg')
        rolledBack += await undo(sql, adapter, cursor, cursor.height, options.watch)
      cursor = (await readCursor(sql, name)) ?? cursor
      // The blocks that were read ahead are of another chain now.
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

/** Consecutive blocks with their transfers to own addresses, ready to be written. */
interface Range {
  readonly blocks: readonly Block[]
  readonly hits: readonly Hit<MinedTransfer>[]
  readonly last: Block
}

/**
 * Reads one range after the other while earlier ones are written. Each is matched after it was fetched, so an
 * address that it can pay is known by then.
 *
 * @returns A function that gives the next range, beginning with the one at `first`.
 */
function readAhead(sql: Sql, adapter: ChainAdapter, first: number, head: number, options: AdvanceOptions) {
  const { name } = adapter.network
  const ranges: Promise<Range>[] = []
  let from = Promise.resolve(first)

  async function fetch(height: number): Promise<Block[]> {
    const blocks: Block[] = []
    let transfers = 0
    for (let next = height; next <= head && blocks.length < RANGE && transfers < SPARSE; ) {
      const more = await adapter.blocks(next, Math.min(head, next + RANGE - 1)).catch((error: unknown) => {
        // What came before is applied, and the next range meets the error.
        if (blocks.length === 0) throw error
        return []
      })
      const some = linked(more, next, blocks.at(-1))
      for (const block of some) transfers += block.transfers.length
      blocks.push(...some)
      next += some.length
      if (some.length === 0 || some.length < more.length) break
    }
    return blocks
  }

  async function describe(height: number, blocks: readonly Block[]): Promise<Range> {
    const last = blocks.at(-1)
    if (!last) throw new Error(`The node of ${name} gave no block ${height}`)
    const matches = await matchBlocks(sql, name, blocks, options.filter)
    const hits = await describeMatches(sql, adapter, matches, options.tolerant ?? false)
    return { blocks, hits, last }
  }

  function read(height: Promise<number>): void {
    const blocks = height.then(fetch)
    from = blocks.then(async (some) => (await height) + some.length)
    const range = blocks.then(async (some) => describe(await height, some))
    // The error is thrown where the range is awaited, if it ever is.
    from.catch(() => {})
    range.catch(() => {})
    ranges.push(range)
  }

  return async (): Promise<Range> => {
    while (ranges.length <= AHEAD) read(from)
    return ranges.shift() as Promise<Range>
  }
}

/**
 * Reverts the blocks above the fork. @param differsAt - Height at which the node has another block than the
 * scanned one.
 */
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
