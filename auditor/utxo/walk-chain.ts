/** Walks blocks of the Bitcoin family in order, each on its parent, up to a block that is known by its hash. */

import { AuditFailure } from '../audit-failure.js'
import type { BlockPoint, UtxoChain } from './open-chain.js'
import type { AuditedBlock } from './read-block.js'

export interface WalkedBlock extends AuditedBlock {
  readonly height: number
}

/** Blocks that are fetched ahead, so that the node works while blocks are read. */
const AHEAD = 4

/**
 * Walks the blocks above `from` up to `to`.
 *
 * @param from - The last block that was walked. Its hash is `null` where the walk begins.
 * @throws AuditFailure `NODE_ON_ANOTHER_BRANCH` when the node's chain changes meanwhile.
 */
export async function* walkChain(
  chain: UtxoChain,
  from: { readonly height: number; readonly hash: string | null },
  to: BlockPoint,
): AsyncGenerator<WalkedBlock> {
  const fetch = async (height: number): Promise<WalkedBlock> => {
    const hash = height === to.height ? to.hash : await chain.hashAt(height)
    if (hash === null) throw changed(chain, height)
    return { height, ...(await chain.block(hash)) }
  }
  const fetched: Promise<WalkedBlock>[] = []
  let parent = from.hash
  for (let height = from.height + 1; height <= to.height; height++) {
    while (fetched.length < AHEAD && height + fetched.length <= to.height) {
      const next = fetch(height + fetched.length)
      // The error is thrown where the block is awaited, if it ever is.
      next.catch(() => {})
      fetched.push(next)
    }
    const block = await (fetched.shift() as Promise<WalkedBlock>)
    if (parent !== null && block.parentHash !== parent) throw changed(chain, height)
    parent = block.hash
    yield block
  }
}

function changed(chain: UtxoChain, height: number): AuditFailure {
  return new AuditFailure(
    'NODE_ON_ANOTHER_BRANCH',
    `The ${chain.node.label} changed its chain at block ${height} while it was read`,
  )
}
