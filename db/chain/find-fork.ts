/** Finds the last block on which the scanned chain and the node agree. */

import type { ChainAdapter } from '../../chains/adapter.js'
import { KeyturnError } from '../../domain/errors.js'
import type { Queryable } from '../connect.js'
import type { ChainCursor } from '../networks/chain-cursor.js'
import { blockHashAt } from './block-hash-at.js'

/**
 * Compares the scanned chain with the node's, downwards in growing steps and then by halves: a reorg of depth
 * d costs about 2 log2(d) questions. If not even the first scanned block is left, the answer is the node's
 * block below it.
 *
 * Only a different hash is disagreement. A node without a block at a height is merely behind (another one
 * behind the same load balancer, say) and proves nothing about it.
 *
 * @param adapter - Adapter, asked for hashes only.
 * @param differsAt - Scanned height at which the node was seen to have another block.
 * @throws KeyturnError `DEPENDENCY_UNAVAILABLE` (retryable) if nodes disagree, or one that is behind leaves
 * the fork unknown. The next poll asks again.
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
  const ours = await blockHashAt(sql, network, differsAt)
  if (ours !== null && (await hashAt(differsAt)) === ours) {
    throw new KeyturnError(
      'DEPENDENCY_UNAVAILABLE',
      `The nodes of ${network} disagree about block ${differsAt}`,
      {
        details: { network, height: differsAt },
        retryable: true,
      },
    )
  }
  // Old headers are kept with gaps (see prune-blocks.ts): the one at or below a height stands for it.
  const scannedAt = async (height: number): Promise<ChainCursor> => {
    const [block] = await sql<{ height: bigint; hash: string }[]>`
      SELECT height, hash FROM chain_blocks WHERE network = ${network} AND height <= ${height}
      ORDER BY height DESC LIMIT 1`
    if (!block) throw new Error(`No block of ${network} at or below ${height} was scanned`)
    return { height: Number(block.height), hash: block.hash }
  }
  const agrees = async (block: ChainCursor): Promise<boolean> => (await hashAt(block.height)) === block.hash
  // Invariant: the chains differ at `bad`.
  let bad = differsAt
  let good: ChainCursor | null = null
  for (let step = 1; good === null && bad > lowest; step *= 2) {
    const block = await scannedAt(Math.max(lowest, bad - step))
    if (await agrees(block)) good = block
    else bad = block.height
  }
  if (good === null) {
    const below = lowest - 1
    return { height: below, hash: below < 0 ? '' : await hashAt(below) }
  }
  // Invariant: no header is kept above `good` and up to `empty`.
  let empty = good.height
  while (bad - empty > 1) {
    const middle = Math.floor((empty + bad) / 2)
    const block = await scannedAt(middle)
    if (block.height > good.height && !(await agrees(block))) {
      bad = block.height
      continue
    }
    if (block.height > good.height) good = block
    empty = middle
  }
  return good
}
