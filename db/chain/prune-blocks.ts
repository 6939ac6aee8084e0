/**
 * Deletes headers of blocks that are too deep to leave the chain. It keeps as many as finding a fork at any
 * depth needs.
 */

import { inTransaction, type Sql } from '../connect.js'
import { lockCursor } from '../networks/chain-cursor.js'
import { foldSmall } from './count-small.js'
import { keepWatch, type Watch } from './take-watch.js'

export interface PruneRules {
  /** Number of the newest headers that are all kept. */
  readonly newest: number
  /** Age in seconds below which headers are all kept: some chains make four blocks a second. */
  readonly youngerThan: number
  /** Of the other headers, one in this many is kept. */
  readonly oneIn: number
  /** Most headers that one call checks. */
  readonly atMost: number
}

const RULES: PruneRules = { newest: 10_000, youngerThan: 86_400, oneIn: 1_000, atMost: 20_000 }

/**
 * Prunes the headers of a network. Those of blocks with deposits, own transactions or foreign spends stay: a
 * fork is then found right above the last of them that is still on the chain, and nothing is reverted without
 * need.
 *
 * @returns The number of deleted headers.
 * @throws WatchLost if `watch` is not the latest.
 */
export async function pruneBlocks(
  sql: Sql,
  network: string,
  watch?: Watch,
  rules: PruneRules = RULES,
): Promise<number> {
  return inTransaction(sql, async (tx) => {
    const cursor = await lockCursor(tx, network)
    await keepWatch(tx, network, watch)
    if (!cursor) return 0
    const [last] = await tx<{ height: bigint | null }[]>`
      SELECT max(height) AS height FROM (
        SELECT height FROM chain_blocks
        WHERE network = ${network} AND height <= ${cursor.height - rules.newest}
          AND height > coalesce((SELECT pruned_to FROM chain_cursors WHERE network = ${network}), -1)
          AND time < clock_timestamp() - make_interval(secs => ${rules.youngerThan})
        ORDER BY height LIMIT ${rules.atMost}) AS old`
    if (last?.height == null) return 0
    const pruned = await tx`
      DELETE FROM chain_blocks block
      WHERE network = ${network} AND height <= ${last.height} AND height % ${rules.oneIn} <> 0
        AND height > coalesce((SELECT pruned_to FROM chain_cursors WHERE network = ${network}), -1)
        AND NOT EXISTS (SELECT FROM deposits WHERE network = block.network AND block_number = block.height)
        AND NOT EXISTS (SELECT FROM attempts WHERE network = block.network AND block_number = block.height)
        AND NOT EXISTS (SELECT FROM foreign_spends WHERE network = block.network AND block_number = block.height)`
    await foldSmall(tx, network, Number(last.height))
    await tx`UPDATE chain_cursors SET pruned_to = ${last.height} WHERE network = ${network}`
    return pruned.count
  })
}
