/** Reads blocks from a node, several in one request. */

import { z } from 'zod'
import type { UtxoNetwork } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { Block, Spend, Transfer } from '../../adapter.js'
import { createPatience } from '../../patience.js'
import { addMovements } from '../parse/movements-of-transaction.js'
import { parseBlock } from '../parse/parse-block.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { NodeError } from '../rpc/node-error.js'

/** Raw bytes that one request should bring: two full blocks, or a hundred small ones. */
const TARGET_BYTES = 4_000_000
const MAX_BLOCKS = 100

/**
 * Creates the reader of consecutive blocks. It remembers the size of blocks, to request the right number, and
 * how long one took.
 */
export function createBlockReader(rpc: Rpc, network: UtxoNetwork) {
  let bytesPerBlock = TARGET_BYTES / 8
  const patience = createPatience(rpc.timeoutMs)

  /**
   * Reads blocks from `from` up to at most `to`, each the child of the one before. Empty only if `from` is
   * above the tip.
   *
   * @throws KeyturnError `DEPENDENCY_UNAVAILABLE` (retryable) if a block does not have its hash.
   */
  return async function readBlocks(from: number, to: number): Promise<Block[]> {
    const count = Math.min(to - from + 1, MAX_BLOCKS, Math.max(1, Math.floor(TARGET_BYTES / bytesPerBlock)))
    if (count < 1) return []
    const heights = Array.from({ length: count }, (_, i) => from + i)
    const hashes: string[] = []
    for (const answer of await rpc.batch(
      'getblockhash',
      heights.map((height) => [height]),
      z.string(),
    )) {
      if (answer instanceof NodeError) break
      hashes.push(answer)
    }
    const waitMs = hashes.length === 1 ? patience.ms() : rpc.timeoutMs
    const answers = await rpc.batch(
      'getblock',
      hashes.map((hash) => [hash, 0]),
      z.string(),
      {
        timeoutMs: waitMs,
        onTooLate() {
          // The next request asks for fewer blocks, or gives more time for one.
          if (hashes.length > 1) bytesPerBlock = (TARGET_BYTES * 2) / hashes.length
          else patience.exceeded(waitMs)
        },
      },
    )
    if (hashes.length === 1) patience.answered()
    const blocks: Block[] = []
    let bytesRead = 0
    for (const [index, answer] of answers.entries()) {
      if (answer instanceof NodeError) throw answer
      bytesRead += answer.length / 2
      const block = toBlock(answer, from + index, hashes[index], network)
      // A reorg happened between two answers. The next call reads what comes after it.
      const parent = blocks.at(-1)
      if (parent && block.parentHash !== parent.hash) break
      blocks.push(block)
    }
    if (answers.length > 0) bytesPerBlock = Math.max(200, bytesRead / answers.length)
    return blocks
  }
}

function toBlock(hex: string, height: number, hash: string | undefined, network: UtxoNetwork): Block {
  const transfers: Transfer[] = []
  const spends: Spend[] = []
  try {
    const parsed = parseBlock(Buffer.from(hex, 'hex'))
    if (parsed.hash !== hash) throw new Error(`its header hashes to ${parsed.hash}`)
    for (const transaction of parsed.transactions) addMovements(transaction, network, transfers, spends)
    const txids = parsed.transactions.map((each) => each.txid)
    return {
      height,
      hash: parsed.hash,
      parentHash: parsed.parentHash,
      time: parsed.time,
      transfers,
      spends,
      txids,
    }
  } catch (error) {
    throw new KeyturnError(
      'DEPENDENCY_UNAVAILABLE',
      `The ${network.name} node gave no usable block ${height}`,
      {
        details: { network: network.name, height, hash },
        cause: error,
        retryable: true,
      },
    )
  }
}
