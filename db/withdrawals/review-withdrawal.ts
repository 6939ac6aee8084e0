/** A person's decision about a withdrawal that looked risky; the four eyes still have to approve it afterwards. */

import { KeyturnError } from '../../domain/errors.js'
import type { Networks } from '../../domain/network.js'
import type { Transaction } from '../connect.js'
import { closeUnpaid } from './close-unpaid.js'
import { withdrawalNotFound } from './find-withdrawal.js'
import { moveWithdrawal } from './move-withdrawal.js'
import { requireReviewer } from './require-reviewer.js'
import { lockWithdrawal, type WithdrawalRow } from './withdrawal-row.js'

export interface Review {
  readonly merchantId: string
  readonly id: string
  /** The person behind the API key; null where the key has none. */
  readonly personId: string | null
  /** Whether the key has the scope `admin`; else the person must have the role `reviewer`. */
  readonly admin: boolean
  readonly decision: 'approve' | 'reject'
  readonly reason: string
  readonly actor: string
}

/**
 * Lets it go on to its approvals, or rejects it with the hold released.
 *
 * @throws KeyturnError `NOT_AN_APPROVER`, `NOT_FOUND`, `INITIATOR_CANNOT_APPROVE`, `ALREADY_DECIDED`, `INVALID_STATE`.
 */
export async function reviewWithdrawal(tx: Transaction, networks: Networks, review: Review): Promise<void> {
  await requireReviewer(tx, review)
  const [own] = await tx`
    SELECT 1 FROM withdrawals WHERE id = ${review.id} AND merchant_id = ${review.merchantId} AND kind = 'withdrawal'`
  if (!own) throw withdrawalNotFound(review.id)
  const row = await lockWithdrawal(tx, review.id)
  requireOpen(row, review)
  const decided = {
    decision: review.decision,
    reviewer: review.personId,
    reason: review.reason,
    at: new Date().toISOString(),
  }
  await tx`UPDATE withdrawals SET review = ${tx.json(decided)} WHERE id = ${row.id}`
  // The workflow may not have come to it yet; the history shows the stage all the same.
  let current = row
  if (row.stage === 'requested') {
    await moveWithdrawal(tx, networks, row, { to: 'pending_review', actor: 'system:withdrawal' })
    current = await lockWithdrawal(tx, row.id)
  }
  const audit = { review: decided, risk: row.risk }
  if (review.decision === 'approve') {
    const cause = `reviewed by ${review.personId}: ${review.reason}`
    await moveWithdrawal(tx, networks, current, { to: 'pending_approval', actor: review.actor, cause, audit })
    return
  }
  await closeUnpaid(tx, networks, current, {
    to: 'rejected',
    actor: review.actor,
    audit,
    failure: { code: 'REJECTED_IN_REVIEW', message: `Rejected by a reviewer: ${review.reason}` },
  })
}

function requireOpen(row: WithdrawalRow, { personId }: Review): void {
  if (personId === row.initiator) {
    throw new KeyturnError(
      'INITIATOR_CANNOT_APPROVE',
      'Whoever asked for a withdrawal cannot review it; somebody else must',
      { details: { id: row.id } },
    )
  }
  const details = { id: row.id, stage: row.stage, review: row.review }
  if (row.review !== null) {
    throw new KeyturnError('ALREADY_DECIDED', 'This withdrawal was reviewed before', { details })
  }
  // Whoever is still to be screened is not reviewed before: the service may say more.
  const unscreened = row.screening?.state === 'pending'
  const waits =
    row.stage === 'pending_review' || (row.stage === 'requested' && row.review_required && !unscreened)
  if (waits && row.expires_at.getTime() > Date.now()) return
  throw new KeyturnError('INVALID_STATE', 'This withdrawal does not wait for a review', { details })
}
