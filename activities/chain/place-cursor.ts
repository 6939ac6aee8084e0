/** Decides where scanning begins on the first start of a network. */

import type { BlockRef, ChainAdapter } from '../../chains/adapter.js'
import { oldestAddress } from '../../db/chain/oldest-address.js'
import type { Sql } from '../../db/connect.js'
import { type ChainCursor, createCursor, readCursor } from '../../db/networks/chain-cursor.js'
import { byFamily } from '../../domain/chain/by-family.js'
import type { Network } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'

/** Block times may run ahead of or behind the clock by up to two hours (Bitcoin's consensus rule). */
const CLOCK_SLACK_SECONDS = 2 * 3_600
/** Below the tip, so that a short reorganisation at the first contact is seen as one, and a node that lags has the block. */
const BLOCKS_BELOW_TIP = 6
/** A head older than this many blocks' time is that of a node which has not begun to synchronise. */
const STALE_AFTER_BLOCKS = 100
const STALE_AFTER_SECONDS = 3 * 3_600

/**
 * Places the cursor: below the configured height, else below the first block since an address was first issued, else a few
 * blocks below the tip. So an address that was given out before the watcher came up misses nothing.
 *
 * Only headers are asked for, which every node has, archive or not.
 *
 * @throws KeyturnError `DEPENDENCY_UNAVAILABLE` (retryable) while the node is not where scanning can begin: it is waited for.
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

/** From the head of a node that synchronises the whole chain would have to be scanned, in step with it. */
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

/** Chains of one's own may stand still for days; those of the world do not. */
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

/** The lowest height with a block time of at least `since`, or the one above the tip; block times rise all but exactly. */
async function firstHeightSince(adapter: ChainAdapter, since: number, tip: number): Promise<number> {
  let low = 0
  let high = tip + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const time = await adapter.timeAt(middle)
    // What a node has no header of is older than what it has.
    if (time !== null && time >= since) high = middle
    else low = middle + 1
  }
  return low
}
