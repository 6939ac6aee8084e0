/**
 * Scans consecutive blocks in batches that adapt to the node, and fetches the next ones while the caller
 * works on these.
 */

import type { Block } from '../../adapter.js'
import { createPatience } from '../../patience.js'
import { toInteger, toQuantity } from '../quantity.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { expectResult } from '../rpc/expect-result.js'
import type { RpcAnswer, RpcCall } from '../rpc/rpc-call.js'
import {
  AskedTooMuch,
  EndpointFailure,
  isPruned,
  isTooMuch,
  MissingReceipts,
  RpcError,
} from '../rpc/rpc-error.js'
import { type MissingAnswers, parseBlock } from './parse-block.js'
import type { ScanRules } from './scan-rules.js'

/** Most blocks of one batch. Providers cap a batch at about 100 calls, and a block takes up to three. */
const MOST_BLOCKS = 32
const FIRST_BLOCKS = 4
/**
 * Characters of one batch. Measured against Anvil, larger ones bring nothing, and parsing them blocks the
 * event loop.
 */
const TARGET_SIZE = 2 * 1024 * 1024
/** Batches under way while the caller works on one: both sides are busy, and a reorg wastes little. */
const AHEAD = 3
/** Most receipts that are requested one by one in a batch. A node that leaves out more is not followed. */
const MOST_MISSING = 64
/** Age above which blocks that were fetched ahead are fetched again: the tip may have moved. */
const STALE_AFTER_MS = 5_000

/**
 * Depth up to which a missing state is a passing fault, and waited for. Full nodes keep the state of 128
 * blocks or so.
 */
const STATE_KEPT_BLOCKS = 100

interface Fetch {
  readonly from: number
  readonly count: number
  readonly blocks: Promise<Block[]>
  doneAt: number | null
}

/**
 * Creates the scanner of a network. Its only state is the size of the next batch and what is being fetched
 * ahead.
 *
 * @param hasTraces - Whether the node answers `trace_block`.
 */
export function createBlockScanner(
  rpc: Rpc,
  rules: ScanRules,
  hasTraces: () => Promise<boolean>,
): (from: number, to: number) => Promise<Block[]> {
  let batchSize = FIRST_BLOCKS
  let queue: Fetch[] = []
  const patience = createPatience(rpc.timeoutMs)
  /** Height up to which no node has the state from which traces are made. */
  let prunedUpTo = -1

  function start(from: number, to: number, traces: boolean): Fetch {
    const count = Math.min(batchSize, to - from + 1)
    const fetch: Fetch = { from, count, blocks: fetchBlocks(from, count, traces), doneAt: null }
    const done = () => {
      fetch.doneAt = Date.now()
    }
    // A fetch ahead that fails, and is never awaited, must not end the process.
    fetch.blocks.then(done, done)
    return fetch
  }

  function top(from: number, to: number, traces: boolean): void {
    let next = queue.length > 0 ? end(queue[queue.length - 1]) : from
    while (queue.length < AHEAD && next <= to) {
      const fetch = start(next, to, traces)
      queue.push(fetch)
      next = end(fetch)
    }
  }

  async function fetchBlocks(from: number, count: number, traces: boolean): Promise<Block[]> {
    let traced = traces && from > prunedUpTo
    let pruned = false
    let missing: readonly string[] = []
    for (let size = count; ; ) {
      const divisible = size > 1
      const asked = missing
      try {
        return await rpc.ask(
          [...blockCalls(from, size, traced), ...missingCalls(asked)],
          (answers) => {
            pruned = traced && answers.answers.some((each) => each instanceof RpcError && isPruned(each))
            const read = readBlocks(rules, from, size, traced, divisible, answers.answers, asked)
            const blocks = traces && !traced ? read.map((block) => ({ ...block, untraced: true })) : read
            adapt(size, answers.size)
            return blocks
          },
          divisible ? { divisible } : { patience },
        )
      } catch (error) {
        if (error instanceof MissingReceipts && asked.length < MOST_MISSING) {
          missing = [...new Set([...asked, ...error.txids])]
          continue
        }
        if (pruned && (await isOld(from + size - 1))) {
          // A chain is followed without the traces that no node has any more, rather than not at all.
          prunedUpTo = Math.max(prunedUpTo, from + size - 1)
          traced = false
          pruned = false
          continue
        }
        if (!divisible || !(pruned || error instanceof AskedTooMuch)) throw error
        size = Math.floor(size / 2)
        batchSize = Math.min(batchSize, size)
      }
    }
  }

  async function isOld(height: number): Promise<boolean> {
    const head = await rpc.ask([{ method: 'eth_blockNumber', params: [] }], ({ answers }) =>
      toInteger(expectResult(answers[0], 'eth_blockNumber'), 'eth_blockNumber'),
    )
    return head - height >= STATE_KEPT_BLOCKS
  }

  function adapt(blocks: number, size: number): void {
    if (size > TARGET_SIZE) batchSize = Math.max(1, Math.floor(blocks / 2))
    else if (size < TARGET_SIZE / 2 && blocks >= batchSize) batchSize = Math.min(MOST_BLOCKS, blocks * 2)
  }

  return async (from, to) => {
    const traces = await hasTraces()
    const head = queue[0]
    const stale = head?.doneAt != null && Date.now() - head.doneAt > STALE_AFTER_MS
    if (head?.from !== from || end(head) > to + 1 || stale) queue = []
    top(from, to, traces)
    const current = queue.shift()
    if (!current) return []
    try {
      const blocks = await current.blocks
      // After fewer blocks than requested, what was fetched ahead does not follow, and the next call drops
      // it.
      if (blocks.length === current.count) top(end(current), to, traces)
      return blocks
    } catch (error) {
      queue = []
      throw error
    }
  }
}

function end(fetch: Fetch | undefined): number {
  return fetch ? fetch.from + fetch.count : 0
}

/**
 * Returns the calls of a range. With traces the transactions' values are known, and nodes give hashes several
 * times faster than transactions.
 */
function blockCalls(from: number, count: number, traces: boolean): RpcCall[] {
  return Array.from({ length: count }, (_, offset) => toQuantity(from + offset)).flatMap((height) => [
    { method: 'eth_getBlockByNumber', params: [height, !traces] },
    { method: 'eth_getBlockReceipts', params: [height] },
    ...(traces ? [{ method: 'trace_block', params: [height] }] : []),
  ])
}

/** Returns two calls for each transaction whose receipt the list leaves out, after those of the blocks. */
function missingCalls(txids: readonly string[]): RpcCall[] {
  return txids.flatMap((txid) => [
    { method: 'eth_getTransactionReceipt', params: [txid] },
    { method: 'eth_getTransactionByHash', params: [txid] },
  ])
}

function readMissing(txids: readonly string[], answers: readonly RpcAnswer[]): Map<string, MissingAnswers> {
  return new Map(
    txids.map((txid, index) => [
      txid,
      {
        receipt: expectResult(answers[2 * index], 'eth_getTransactionReceipt'),
        transaction: expectResult(answers[2 * index + 1], 'eth_getTransactionByHash'),
      },
    ]),
  )
}

function readBlocks(
  rules: ScanRules,
  from: number,
  count: number,
  traces: boolean,
  divisible: boolean,
  answers: readonly RpcAnswer[],
  asked: readonly string[],
): Block[] {
  const perBlock = traces ? 3 : 2
  const missing = readMissing(asked, answers.slice(count * perBlock))
  const blocks: Block[] = []
  for (let offset = 0; offset < count; offset += 1) {
    const at = offset * perBlock
    const take = (index: number, method: string): unknown => {
      const answer = answers[at + index]
      if (divisible && answer instanceof RpcError && !answer.unsupported && isTooMuch(answer)) {
        throw new AskedTooMuch(`${method}: code ${answer.code}`)
      }
      return expectResult(answer, method)
    }
    const header = take(0, 'eth_getBlockByNumber')
    // Nodes answer about receipts and traces of a block that they lack with all kinds of errors.
    const block =
      header === null
        ? null
        : parseBlock(rules, from + offset, {
            block: header,
            receipts: take(1, 'eth_getBlockReceipts'),
            traces: traces ? take(2, 'trace_block') : null,
            missing,
          })
    const previous = blocks[blocks.length - 1]
    // A reorg lies inside the range. The blocks before it are returned, and the caller finds the break at the
    // next one.
    if (!block || (previous && block.parentHash !== previous.hash)) break
    blocks.push(block)
  }
  if (blocks.length === 0) throw new EndpointFailure(`block ${from} is not there yet`)
  return blocks
}
