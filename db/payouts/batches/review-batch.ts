/** Stores a reviewer's decision about a risky batch. Two people still have to approve it afterwards. */

import type { Networks } from '../../../domain/chain/network.js'
import type { Transaction } from '../../connect.js'
import { type Review, requireReviewable } from '../withdrawals/require-reviewable.js'
import { requireReviewer } from '../withdrawals/require-reviewer.js'
import { lockBatch } from './batch-row.js'
import { findBatch } from './find-batch.js'
import { moveBatch } from './move-batch.js'

/**
 * Lets the batch go on to its approvals, or rejects all of it and releases the hold.
 *
 * @throws KeyturnError `NOT_AN_APPROVER`, `NOT_FOUND`, `INITIATOR_CANNOT_APPROVE`, `ALREADY_DECIDED`,
 * `INVALID_STATE`.
 */
export async function reviewBatch(tx: Transaction, networks: Networks, review: Review): Promise<void> {
  await requireReviewer(tx, review)
  await findBatch(tx, review.merchantId, review.id)
  let row = await lockBatch(tx, review.id)
  const waits = row.stage === 'pending_review' || (row.stage === 'requested' && row.review_required)
  requireReviewable('batch', row, review, waits)
  const decided = {
    decision: review.decision,
    reviewer: review.personId,
    reason: review.reason,
    at: new Date().toISOString(),
  }
  await tx`UPDATE batches SET review = ${tx.json(decided)} WHERE id = ${row.id}`
  // The workflow may not have admitted it yet. The history shows the stage all the same.
  if (row.stage === 'requested') {
    await moveBatch(tx, networks, row, { to: 'pending_review', actor: 'system:batch' })
    row = await lockBatch(tx, row.id)
  }
  const audit = { review: decided, risk: row.risk }
  if (review.decision === 'approve') {
    const cause = `reviewed by ${review.personId}: ${review.reason}`
    await moveBatch(tx, networks, row, { to: 'pending_approval', actor: review.actor, cause, audit })
    return
  }
  await moveBatch(tx, networks, row, {
    to: 'rejected',
    actor: review.actor,
    audit,
    failure: { code: 'REJECTED_IN_REVIEW', message: `Rejected by a reviewer: ${review.reason}` },
  })
}
