/** Names the lowest block at which the books of a network can be compared with the chain. */

import type { Network } from '../../domain/chain/network.js'
import type { Queryable } from '../connect.js'
import { lowestKnownBlock, readWalked } from './walked-chain.js'

/** Returns its height: the first block of the network file, of the books or of the record. `null` if none is known. */
export async function firstBlock(
  sql: Queryable,
  { name, startHeight }: Pick<Network, 'name' | 'startHeight'>,
): Promise<number | null> {
  const heights = [startHeight, await lowestKnownBlock(sql, name), (await readWalked(sql, name))?.firstBlock]
  const known = heights.filter((height) => height !== null && height !== undefined)
  return known.length === 0 ? null : Math.min(...known)
}
