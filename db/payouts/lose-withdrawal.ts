/** Ends a signed payout that can never be mined, because something else took its place. */

import type { Networks } from '../../domain/chain/network.js'
import { SENT_PAYOUTS } from '../../domain/payouts/stage-sets.js'
import { postJournal } from '../books/ledger/post-journal.js'
import { inTransaction, type Sql } from '../connect.js'
import { excludeAttempts } from './attempts/exclude-attempts.js'
import { movePayout } from './move-payout.js'
import { lockWithdrawal } from './payout-row.js'
import { proveUnpaid } from './prove-unpaid.js'
import { releaseJournal } from './withdrawal-journals.js'

/**
 * Releases the hold of a payout none of whose attempts can be mined any more. Either the nonce or an input
 * went to a stranger's transaction that is final now (another program has the keys, or uses the wallet too),
 * or an input disappeared with a transaction that was itself excluded. The audit log and the failure say
 * which.
 *
 * Proves it again under the lock, because a reorg may have undone the proof, and a signer may have answered,
 * since it was found. Without the proof it changes nothing, and the payout is followed further.
 */
export async function loseWithdrawal(
  sql: Sql,
  networks: Networks,
  id: string,
  failure: { readonly code: string; readonly message: string },
): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    if (!SENT_PAYOUTS[row.stage]) return
    const proof = await proveUnpaid(tx, row)
    if (!proof.proven || proof.by !== 'conflict_final') return
    await excludeAttempts(tx, id)
    await postJournal(tx, releaseJournal(row))
    await movePayout(tx, networks, row, {
      to: 'failed',
      actor: 'system:chain',
      failure,
      audit: { conflict: proof.conflict },
    })
  })
}
