/** Hands a chain to a watcher. From then on, earlier watchers write nothing more. */

import { inTransaction, type Sql, type Transaction } from '../connect.js'
import { lockCursor } from '../networks/chain-cursor.js'

/** Number of a watcher of a network. Only the highest may write. */
export type Watch = bigint

/** Thrown when a later watcher follows the chain, so that this one has to end. */
export class WatchLost extends Error {
  override readonly name = 'WatchLost'
  constructor(network: string) {
    super(`Another watcher follows ${network} now`)
  }
}

/** Takes the watch of a network. It waits until the watcher before has finished its transaction. */
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
 * Checks that a watcher may still write. Call it after `lockCursor`.
 *
 * @param watch - Watch. Absent without a watcher (a test that applies blocks itself).
 * @throws WatchLost if a later one has begun.
 */
export async function keepWatch(tx: Transaction, network: string, watch: Watch | undefined): Promise<void> {
  if (watch === undefined) return
  const [row] = await tx<{ number: bigint }[]>`SELECT number FROM chain_watches WHERE network = ${network}`
  if (row?.number !== watch) throw new WatchLost(network)
}
