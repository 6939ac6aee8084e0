/**
 * Keeps at which scanned block an account's nonce was past that of a payment, although none of our
 * transactions was seen there.
 */

import { inTransaction, type Sql } from '../../connect.js'
import { type ChainCursor, lockCursor } from '../../networks/chain-cursor.js'

/**
 * Notes what the account's nonce was at a block that the watcher has scanned; the first such block stays.
 * Nothing is noted when that block has left the chain meanwhile. An attempt of ours that used the nonce is
 * `mined` by then, because the watcher came to its block: that, and not what a node knows of a transaction,
 * tells our own use from a stranger's.
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
