/** Moves the exception of a refund that goes on again: after a retry, or after a reorg that took back its end. */

import type { Network } from '../../../domain/chain/network.js'
import {
  auditException,
  type LockedException,
  lockException,
  moveException,
} from '../../books/exceptions/change-exception.js'
import { releaseHolds } from '../../books/exceptions/dispute-holds.js'
import { requireFree } from '../../books/exceptions/propose-resolution.js'
import type { Transaction } from '../../connect.js'
import { unbookRefund } from '../../deposits/refund-rejected.js'
import type { PayoutRow } from '../payout-row.js'
import { depositOf, findOwed, type Owed } from './find-owed.js'
import { freeForRefund } from './free-for-refund.js'
import { requireUnrefunded, stopOtherRefunds } from './other-refunds.js'

type Refund = Pick<
  PayoutRow,
  'id' | 'merchant_id' | 'exception_id' | 'network' | 'coin' | 'amount' | 'user_reference' | 'reopened'
>

/** Returns what a refund pays. */
function paidBy({ network, coin, amount, user_reference: userReference }: Refund): Owed {
  return { network, coin, amount, userReference }
}

/**
 * Requires that a refund that ended may be tried again, and releases for it what a dispute holds.
 *
 * @returns Its exception. `null` if the withdrawal refunds none.
 * @throws KeyturnError `INVALID_STATE`.
 */
export async function requireRetryable(
  tx: Transaction,
  network: Network,
  refund: Refund,
): Promise<LockedException | null> {
  if (refund.exception_id === null) return null
  const exception = await lockException(tx, refund.merchant_id, refund.exception_id)
  await requireFree(tx, exception)
  await requireUnrefunded(tx, exception, refund.id)
  await findOwed(tx, exception)
  await freeForRefund(tx, exception, network, paidBy(refund))
  return exception
}

/** Makes the exception wait for the withdrawal that refunds it. */
export async function awaitRefund(
  tx: Transaction,
  exception: LockedException,
  withdrawalId: string,
  actor: string,
  act: 'refund_requested' | 'refund_retried' | 'refund_reopened',
  facts: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await tx`
    UPDATE exceptions SET withdrawal_id = ${withdrawalId}, updated_at = clock_timestamp() WHERE id = ${exception.id}`
  await auditException(tx, exception, { actor }, act, { withdrawal_id: withdrawalId, ...facts })
  if (exception.status === 'open') {
    await moveException(tx, exception, 'in_progress', { actor }, `Refunded by ${withdrawalId}`)
  }
}

/**
 * Makes the exception wait again for a refund whose end a reorg took back, and stops every other refund of the same
 * money. Call it before the end is undone in the books: what a dispute holds again is released for it.
 */
export async function followReopenedRefund(tx: Transaction, refund: Refund): Promise<void> {
  if (refund.exception_id === null) return
  const exception = await lockException(tx, refund.merchant_id, refund.exception_id)
  await stopOtherRefunds(tx, exception, refund.id)
  const depositId = depositOf(exception)
  if (depositId !== null) await unbookRefund(tx, depositId, refund)
  if (exception.status === 'resolved' || exception.withdrawal_id !== null) return
  await releaseHolds(tx, exception, { ...paidBy(refund), owner: refund.user_reference ?? '' })
  await awaitRefund(tx, exception, refund.id, 'system:chain-watcher', 'refund_reopened')
}
