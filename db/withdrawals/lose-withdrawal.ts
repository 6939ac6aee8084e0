/** The end of a signed withdrawal that can never be mined, because a transaction that is not ours took its place. */

import type { Networks } from '../../domain/network.js'
import type { Sql } from '../connect.js'
import { postJournal } from '../ledger/post-journal.js'
import { moveWithdrawal } from './move-withdrawal.js'
import { releaseJournal } from './withdrawal-journals.js'
import { lockWithdrawal } from './withdrawal-row.js'

/**
 * Releases the hold of a withdrawal whose nonce or input was used by a stranger's transaction that is final now. Somebody
 * else has the keys, or the wallet is used elsewhere too: the audit log and the failure say so.
 */
export async function loseWithdrawal(
  sql: Sql,
  networks: Networks,
  id: string,
  failure: { readonly code: string; readonly message: string },
): Promise<void> {
  await sql.begin(async (tx) => {
    const row = await lockWithdrawal(tx, id)
    if (row.stage !== 'broadcasting' && row.stage !== 'confirming') return
    await tx`
      UPDATE transactions SET state = CASE state WHEN 'built' THEN 'abandoned' ELSE 'replaced' END
      WHERE subject_id = ${id} AND state IN ('built', 'signed', 'broadcast', 'mined')`
    await tx`
      UPDATE signing_requests SET state = 'withdrawn', lease_until = NULL WHERE subject_id = ${id} AND state = 'queued'`
    await tx`UPDATE nonces SET state = 'foreign' WHERE subject_id = ${id} AND state = 'signed'`
    await tx`
      UPDATE utxo_reservations SET released_at = clock_timestamp()
      WHERE subject_id = ${id} AND released_at IS NULL`
    await postJournal(tx, releaseJournal(row))
    await moveWithdrawal(tx, networks, row, { to: 'failed', actor: 'system:chain', failure })
  })
}
