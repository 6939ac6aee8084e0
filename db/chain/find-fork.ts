/** Finds the last block on which we and the node agree. */

import type { ChainAdapter } from '../../chains/adapter.js'
import { KeyturnError } from '../../domain/errors.js'
import type { Queryable } from '../connect.js'
import { blockHashAt } from './block-hash-at.js'
import type { ChainCursor } from './chain-cursor.js'

/**
 * Compares the scanned chain with the node's, downwards in growing steps and then by halves: a reorg of depth d costs
 * about 2 log2(d) questions. Where not even the first scanned block is left, the answer is the node's block below it.
 *
 * Only a different hash is disagreement. A node without a block at a height is merely behind (another one behind the same
 * load balancer, say) and says nothing about it.
 *
 * @param adapter - Only asked for hashes.
 * @param differsAt - A scanned height at which the node was seen to have another block.
 * @throws KeyturnError `DEPENDENCY_UNAVAILABLE` (retryable) when nodes disagree, or one that is behind leaves the
 * fork unknown: the next look asks again.
 */
export async function findFork(
  sql: Queryable,
  adapter: Pick<ChainAdapter, 'network' | 'hashAt'>,
  differsAt: number,
): Promise<ChainCursor> {
  const network = adapter.network.name
  const [first] = await sql<{ height: bigint | null }[]>`
    SELECT min(height) AS height FROM chain_blocks WHERE network = ${network}`
  const lowest = Number(first?.height ?? differsAt)
  const hashAt = async (height: number): Promise<string> => {
    const hash = await adapter.hashAt(height)
    if (hash !== null) return hash
    throw new KeyturnError(
      'DEPENDENCY_UNAVAILABLE',
      `A node of ${network} is below height ${height} while another has a fork above it; waiting for it`,
      { details: { network, height }, retryable: true },
    )
  }
  const agreesAt = async (height: number): Promise<string | null> => {
    const ours = await blockHashAt(sql, network, height)
    return ours !== null && (await hashAt(height)) === ours ? ours : null
  }
  if ((await agreesAt(differsAt)) !== null) {
    throw new KeyturnError(
      'DEPENDENCY_UNAVAILABLE',
      `The nodes of ${network} disagree about block ${differsAt}`,
      {
        details: { network, height: differsAt },
        retryable: true,
      },
    )
  }
  // Invariant: the chains differ at `bad`.
  let bad = differsAt
  let good: ChainCursor | null = null
  for (let step = 1; good === null && bad > lowest; step *= 2) {
    const height = Math.max(lowest, bad - step)
    const hash = await agreesAt(height)
    if (hash === null) bad = height
    else good = { height, hash }
  }
  if (good === null) {
    const below = lowest - 1
    return { height: below, hash: below < 0 ? '' : await hashAt(below) }
  }
  while (bad - good.height > 1) {
    const height = Math.floor((good.height + bad) / 2)
    const hash = await agreesAt(height)
    if (hash === null) bad = height
    else good = { height, hash }
  }
  return good
}
