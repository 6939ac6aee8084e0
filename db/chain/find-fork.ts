/** Finds the last block on which we and the node agree. */

import type { ChainAdapter } from '../../chains/adapter.js'
import type { Queryable } from '../connect.js'
import { blockHashAt } from './block-hash-at.js'
import type { ChainCursor } from './chain-cursor.js'

/**
 * Compares the scanned chain with the node's, downwards in growing steps and then by halves: a reorg of depth d costs
 * about 2 log2(d) questions. Where not even the first scanned block is left, the answer is the node's block below it.
 *
 * @param adapter - Only asked for hashes.
 */
export async function findFork(
  sql: Queryable,
  adapter: Pick<ChainAdapter, 'network' | 'hashAt'>,
  cursor: ChainCursor,
): Promise<ChainCursor> {
  const network = adapter.network.name
  const [first] = await sql<{ height: bigint | null }[]>`
    SELECT min(height) AS height FROM chain_blocks WHERE network = ${network}`
  const lowest = Number(first?.height ?? cursor.height)
  const agreesAt = async (height: number): Promise<string | null> => {
    const ours = await blockHashAt(sql, network, height)
    return ours !== null && (await adapter.hashAt(height)) === ours ? ours : null
  }
  // Invariant: the chains differ at `bad`.
  let bad = cursor.height + 1
  let good: ChainCursor | null = null
  for (let step = 1; good === null && bad > lowest; step *= 2) {
    const height = Math.max(lowest, bad - step)
    const hash = await agreesAt(height)
    if (hash === null) bad = height
    else good = { height, hash }
  }
  if (good === null) {
    const below = lowest - 1
    const hash = below < 0 ? '' : await adapter.hashAt(below)
    if (hash === null) throw new Error(`The node of ${network} is below height ${below}; waiting for it`)
    return { height: below, hash }
  }
  while (bad - good.height > 1) {
    const height = Math.floor((good.height + bad) / 2)
    const hash = await agreesAt(height)
    if (hash === null) bad = height
    else good = { height, hash }
  }
  return good
}
