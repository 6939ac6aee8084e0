/** Decides where scanning begins on the first start of a network. */

import type { BlockRef, ChainAdapter } from '../../chains/adapter.js'
import { type ChainCursor, createCursor, readCursor } from '../../db/chain/chain-cursor.js'
import { oldestAddress } from '../../db/chain/oldest-address.js'
import type { Sql } from '../../db/connect.js'

/** Block times may run ahead of or behind the clock by up to two hours (Bitcoin's consensus rule). */
const CLOCK_SLACK_SECONDS = 2 * 3_600

/**
 * Places the cursor: below the configured height, else below the first block since an address was first issued, else at
 * the tip. So an address that was given out before the watcher came up misses nothing.
 */
export async function placeCursor(sql: Sql, adapter: ChainAdapter, head: BlockRef): Promise<ChainCursor> {
  const { network } = adapter
  const oldest = await oldestAddress(sql, network.name)
  let start: ChainCursor = { height: head.height, hash: head.hash }
  if (network.startHeight !== null)
    start = await below(adapter, Math.min(network.startHeight, head.height + 1))
  else if (oldest) {
    const since = Math.floor(oldest.getTime() / 1000) - CLOCK_SLACK_SECONDS
    start = await below(adapter, await firstHeightSince(adapter, since, head.height))
  }
  await createCursor(sql, network.name, start)
  return (await readCursor(sql, network.name)) ?? start
}

async function below(adapter: ChainAdapter, height: number): Promise<ChainCursor> {
  if (height === 0) return { height: -1, hash: '' }
  const hash = await adapter.hashAt(height - 1)
  if (hash === null) throw new Error(`The node of ${adapter.network.name} has no block ${height - 1}`)
  return { height: height - 1, hash }
}

/** The lowest height with a block time of at least `since`, or the one above the tip; block times rise all but exactly. */
async function firstHeightSince(adapter: ChainAdapter, since: number, tip: number): Promise<number> {
  let low = 0
  let high = tip + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const [block] = await adapter.blocks(middle, middle)
    if (!block) throw new Error(`The node of ${adapter.network.name} has no block ${middle}`)
    if (block.time >= since) high = middle
    else low = middle + 1
  }
  return low
}
