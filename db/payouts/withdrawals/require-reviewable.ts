/** Checks that a reviewer may decide about a withdrawal. */

import { initiatorsOf } from '../../../domain/controls/approval.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { ReviewDecision } from '../payout-row.js'

/** A reviewer's decision about something risky. */
export interface Review {
  readonly merchantId: string
  readonly id: string
  /** Person behind the API key. `null` where the key has none. */
  readonly personId: string | null
  /** Whether the key has the scope `admin`. Otherwise the person must have the role `reviewer`. */
  readonly admin: boolean
  readonly decision: 'approve' | 'reject'
  readonly reason: string
  readonly actor: string
}

/** The subject of a review: a withdrawal or a batch. */
interface Reviewable {
  readonly id: string
  readonly stage: string
  readonly initiator: string
  readonly co_initiators?: readonly string[]
  readonly review: ReviewDecision | null
  readonly expires_at: Date
}

/**
 * Requires that it was not reviewed before, that it waits for a review, and that another person requested it.
 *
 * @param waits - Whether its stage is one in which it is reviewed.
 * @throws KeyturnError `INITIATOR_CANNOT_APPROVE`, `ALREADY_DECIDED`, `INVALID_STATE`.
 */
export function requireReviewable(
  what: 'withdrawal' | 'batch',
  row: Reviewable,
  { personId }: Review,
  waits: boolean,
): void {
  if (personId !== null && initiatorsOf(row).includes(personId)) {
    throw new KeyturnError(
      'INITIATOR_CANNOT_APPROVE',
      `You asked for this ${what} or changed what it pays, so you cannot review it; another person must`,
      { details: { id: row.id } },
    )
  }
  const details = { id: row.id, stage: row.stage, review: row.review }
  if (row.review !== null) {
    throw new KeyturnError('ALREADY_DECIDED', `This ${what} was reviewed before`, { details })
  }
  if (waits && row.expires_at.getTime() > Date.now()) return
  throw new KeyturnError('INVALID_STATE', `This ${what} does not wait for a review`, { details })
}
