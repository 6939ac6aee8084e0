/** Ends a payout that paid nothing: abandons its attempt and releases the hold. */

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
  /** Whether the signer has answered; see `abandonAttempt`. */
  readonly answered?: boolean
}

/**
 * Ends a payout that the caller has locked.
 *
 * @returns False, without a change, while a signer holds its request (it may have signed), and once it has
 * signed.
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
