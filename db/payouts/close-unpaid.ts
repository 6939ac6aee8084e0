/** The end of a withdrawal that paid nothing: the attempt is abandoned and the hold given back. */

import type { Networks } from '../../domain/chain/network.js'
import { isSigned } from '../../domain/payouts/withdrawal-stage.js'
import { postJournal } from '../books/ledger/post-journal.js'
import type { Transaction } from '../connect.js'
import { abandonAttempt } from './attempts/abandon-attempt.js'
import { movePayout, type WithdrawalMove } from './move-payout.js'
import type { PayoutRow } from './payout-row.js'
import { releaseJournal } from './withdrawal-journals.js'

export interface UnpaidEnd extends WithdrawalMove {
  readonly to: 'rejected' | 'expired' | 'cancelled' | 'failed'
  /** See `abandonAttempt`. */
  readonly answered?: boolean
}

/**
 * Ends a withdrawal that the caller has locked.
 *
 * @returns False while a signer holds its request (it may have signed), and once it has: then nothing was
 * changed.
 */
export async function closeUnpaid(
  tx: Transaction,
  networks: Networks,
  row: PayoutRow,
  end: UnpaidEnd,
): Promise<boolean> {
  if (isSigned(row.stage)) return false
  if (!(await abandonAttempt(tx, row.id, { answered: end.answered ?? false }))) return false
  await postJournal(tx, releaseJournal(row))
  await movePayout(tx, networks, row, end)
  return true
}
