/** Decides where scanning begins on the first start of a network. */

import type { BlockRef, ChainAdapter } from '../../chains/adapter.js'
import { oldestAddress } from '../../db/chain/oldest-address.js'
import type { Sql } from '../../db/connect.js'
import { type ChainCursor, createCursor, readCursor } from '../../db/networks/chain-cursor.js'
import { byFamily } from '../../domain/chain/by-family.js'
import type { Network } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'

/** Seconds by which block times may differ from the clock (Bitcoin's consensus rule: two hours). */
const CLOCK_SLACK_SECONDS = 2 * 3_600
/**
 * Blocks below the tip, so that a short reorg at the first contact is noticed, and a node that is behind has
 * the block.
 */
const BLOCKS_BELOW_TIP = 6
/** Age of a head, in blocks' times, above which its node has not begun to synchronise. */
const STALE_AFTER_BLOCKS = 100
const STALE_AFTER_SECONDS = 3 * 3_600

/**
 * Places the cursor: below the configured height, else below the first block since an address was first
 * issued, else a few blocks below the tip. So an address that was issued before the watcher started misses
 * nothing.
 *
 * It asks for headers only, which every node has, archive or not.
 *
 * @throws KeyturnError `DEPENDENCY_UNAVAILABLE` (retryable) while scanning cannot begin at the node's height.
 */
export async function placeCursor(sql: Sql, adapter: ChainAdapter, head: BlockRef): Promise<ChainCursor> {
  const { network } = adapter
  const start = await below(adapter, await firstHeight(sql, adapter, head))
  await createCursor(sql, network.name, start)
  return (await readCursor(sql, network.name)) ?? start
}

async function firstHeight(sql: Sql, adapter: ChainAdapter, head: BlockRef): Promise<number> {
  const { network } = adapter
  if (network.startHeight !== null) {
    if (network.startHeight <= head.height + 1) return network.startHeight
    throw notYet(
      network,
      `its node is at block ${head.height}, below block ${network.startHeight} (start_height), where scanning begins`,
    )
  }
  await requireTip(adapter, head)
  const nearTip = Math.max(1, head.height - BLOCKS_BELOW_TIP + 1)
  const oldest = await oldestAddress(sql, network.name)
  if (!oldest) return nearTip
  const since = Math.floor(oldest.getTime() / 1000) - CLOCK_SLACK_SECONDS
  return Math.min(nearTip, await firstHeightSince(adapter, since, head.height))
}

/**
 * Requires a synchronised node. From the head of one that synchronises, the whole chain would be scanned in
 * step with it.
 */
async function requireTip(adapter: ChainAdapter, head: BlockRef): Promise<void> {
  const { network } = adapter
  const missing = await adapter.syncing()
  if (missing !== null) {
    throw notYet(network, `its node is still synchronising, ${missing} blocks are missing`)
  }
  if (!isPublic(network)) return
  const time = await adapter.timeAt(head.height)
  const age = time === null ? 0 : Math.floor(Date.now() / 1000) - time
  if (age > Math.max(STALE_AFTER_SECONDS, STALE_AFTER_BLOCKS * network.blockTimeSeconds)) {
    throw notYet(
      network,
      `the newest block of its node, ${head.height}, is ${Math.floor(age / 3_600)} hours old, so it has not synchronised yet; ` +
        'set start_height to begin there all the same',
    )
  }
}

/** Returns whether a chain is public. Private chains may stand still for days; public ones do not. */
function isPublic(network: Network): boolean {
  return byFamily(network, {
    utxo: ({ derivation }) => derivation.coinType !== 1,
    evm: ({ genesisHash }) => genesisHash !== null,
  })
}

function notYet(network: Network, why: string): KeyturnError {
  return new KeyturnError('DEPENDENCY_UNAVAILABLE', `Scanning ${network.name} has not begun: ${why}`, {
    details: { network: network.name },
    retryable: true,
  })
}

async function below(adapter: ChainAdapter, height: number): Promise<ChainCursor> {
  if (height === 0) return { height: -1, hash: '' }
  const hash = await adapter.hashAt(height - 1)
  if (hash === null) throw notYet(adapter.network, `a node of it is below block ${height - 1}`)
  return { height: height - 1, hash }
}

/**
 * Returns the lowest height with a block time of at least `since`, or the one above the tip. Block times rise
 * almost always.
 */
async function firstHeightSince(adapter: ChainAdapter, since: number, tip: number): Promise<number> {
  let low = 0
  let high = tip + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const time = await adapter.timeAt(middle)
    // A block of which the node has no header is older than those that it has.
    if (time !== null && time >= since) high = middle
    else low = middle + 1
  }
  return low
}
