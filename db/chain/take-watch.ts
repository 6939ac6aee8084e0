/** Hands a chain to a watcher: from then on those before it write nothing more. */

import { inTransaction, type Sql, type Transaction } from '../connect.js'
import { lockCursor } from '../networks/chain-cursor.js'

/** The number of a watcher of a network; the highest one alone may write. */
export type Watch = bigint

/** A later watcher follows this chain: this one has to end. */
export class WatchLost extends Error {
  override readonly name = 'WatchLost'
  constructor(network: string) {
    super(`Another watcher follows ${network} now`)
  }
}

/** Takes the watch of a network. What the watcher before is writing is finished first. */
export async function takeWatch(sql: Sql, network: string): Promise<Watch> {
  return inTransaction(sql, async (tx) => {
    await lockCursor(tx, network)
    const [row] = await tx<{ number: bigint }[]>`
      INSERT INTO chain_watches AS watch (network, number) VALUES (${network}, 1)
      ON CONFLICT (network) DO UPDATE SET number = watch.number + 1 RETURNING number`
    if (!row) throw new Error(`The watch of ${network} could not be taken`)
    return row.number
  })
}

/**
 * Makes sure that a watcher may still write; call it after `lockCursor`.
 *
 * @param watch - Absent where there is no watcher (a test that applies blocks by itself).
 * @throws WatchLost when a later one has begun.
 */
export async function keepWatch(tx: Transaction, network: string, watch: Watch | undefined): Promise<void> {
  if (watch === undefined) return
  const [row] = await tx<{ number: bigint }[]>`SELECT number FROM chain_watches WHERE network = ${network}`
  if (row?.number !== watch) throw new WatchLost(network)
}
