/**
 * Stores the scanned block at which an account's nonce was above that of a payout, although none of our
 * transactions was in it.
 */

import { inTransaction, type Sql } from '../../connect.js'
import { type ChainCursor, lockCursor } from '../../networks/chain-cursor.js'

/**
 * Stores the account's nonce at a block that the watcher has scanned. The first such block stays. Does
 * nothing if that block has left the chain meanwhile.
 *
 * An attempt of ours that used the nonce is `mined` by then, because the watcher scanned its block. That, and
 * not what a node knows about a transaction, distinguishes our own use from a stranger's.
 *
 * @param next - The account's next nonce at the end of that block.
 */
export async function noteNonceUse(
  sql: Sql,
  payoutId: string,
  network: string,
  at: ChainCursor,
  next: number,
): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const cursor = await lockCursor(tx, network)
    const [stands] = await tx`
      SELECT FROM chain_blocks WHERE network = ${network} AND height = ${at.height} AND hash = ${at.hash}`
    if (!stands && (cursor?.height !== at.height || cursor.hash !== at.hash)) return
    await tx`
      UPDATE attempts
      SET conflict_height = CASE WHEN nonce < ${next} THEN coalesce(conflict_height, ${at.height}) END
      WHERE payout_id = ${payoutId} AND nonce IS NOT NULL AND state IN ('built', 'signed', 'broadcast')`
  })
}
