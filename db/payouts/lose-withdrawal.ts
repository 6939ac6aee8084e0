/** The end of a signed withdrawal that can never be mined, because something else took its place. */

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
 * Releases the hold of a withdrawal none of whose attempts can be mined any more: the nonce or an input went
 * to a stranger's transaction that is final now (somebody else has the keys, or the wallet is used elsewhere
 * too), or an input vanished with a transaction that was excluded itself. The audit log and the failure say
 * which.
 *
 * The proof is taken again under the lock: since somebody found it, a reorganisation may have undone it, and
 * a signer may have answered. Without the proof nothing is changed, and the payment is followed further.
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
