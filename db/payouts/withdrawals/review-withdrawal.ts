/** Stores a reviewer's decision about a risky withdrawal. Two people still have to approve it afterwards. */

import type { Networks } from '../../../domain/chain/network.js'
import type { Transaction } from '../../connect.js'
import { closeUnpaid } from '../close-unpaid.js'
import { movePayout } from '../move-payout.js'
import { lockWithdrawal } from '../payout-row.js'
import { withdrawalNotFound } from './find-withdrawal.js'
import { type Review, requireReviewable } from './require-reviewable.js'
import { requireReviewer } from './require-reviewer.js'

/**
 * Lets the withdrawal go on to its approvals, or rejects it and releases the hold.
 *
 * @throws KeyturnError `NOT_AN_APPROVER`, `NOT_FOUND`, `INITIATOR_CANNOT_APPROVE`, `ALREADY_DECIDED`,
 * `INVALID_STATE`.
 */
export async function reviewWithdrawal(tx: Transaction, networks: Networks, review: Review): Promise<void> {
  await requireReviewer(tx, review)
  const [own] = await tx`
    SELECT 1 FROM payouts WHERE id = ${review.id} AND merchant_id = ${review.merchantId} AND kind = 'withdrawal'`
  if (!own) throw withdrawalNotFound(review.id)
  const row = await lockWithdrawal(tx, review.id)
  // A withdrawal that is yet to be screened is not reviewed before: the service may add a reason.
  const unscreened = row.screening?.state === 'pending'
  const waits =
    row.stage === 'pending_review' || (row.stage === 'requested' && row.review_required && !unscreened)
  requireReviewable('withdrawal', row, review, waits)
  const decided = {
    decision: review.decision,
    reviewer: review.personId,
    reason: review.reason,
    at: new Date().toISOString(),
  }
  await tx`UPDATE payouts SET review = ${tx.json(decided)} WHERE id = ${row.id}`
  // The workflow may not have admitted it yet. The history shows the stage all the same.
  let current = row
  if (row.stage === 'requested') {
    await movePayout(tx, networks, row, { to: 'pending_review', actor: 'system:withdrawal' })
    current = await lockWithdrawal(tx, row.id)
  }
  const audit = { review: decided, risk: row.risk }
  if (review.decision === 'approve') {
    const cause = `reviewed by ${review.personId}: ${review.reason}`
    await movePayout(tx, networks, current, { to: 'pending_approval', actor: review.actor, cause, audit })
    return
  }
  await closeUnpaid(tx, networks, current, {
    to: 'rejected',
    actor: review.actor,
    audit,
    failure: { code: 'REJECTED_IN_REVIEW', message: `Rejected by a reviewer: ${review.reason}` },
  })
}
