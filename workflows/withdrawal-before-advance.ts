/**
 * How runs that began before `advanceWithdrawal` come to `approved`: they count the decisions that are
 * signalled to them. Their histories replay only with this file. Remove it,
 * `activities/payouts/withdrawal-before-advance.ts` and the `patched` call in `withdrawal-in-steps.ts` when
 * no run is open that started before this version was deployed: `WorkflowType = 'withdrawal' AND
 * ExecutionStatus = 'Running' AND StartTime < '…'`.
 */

import type { WithdrawalSnapshot } from '../activities/payouts/withdrawal.js'
import type { StoredApprovals } from '../activities/payouts/withdrawal-before-advance.js'
import {
  type Approval,
  countApprovers,
  FOUR_EYES,
  type Requirement,
  tallyApprovals,
} from '../domain/controls/approval.js'
import { describeApprovals, toMinute } from './describe-approvals.js'
import { core } from './withdrawal-activities.js'
import type { Course } from './withdrawal-course.js'

/** A snapshot as old histories have it: fields that were added later are absent there. */
export type SnapshotBeforeAdvance = WithdrawalSnapshot & StoredApprovals

export interface BeforeAdvance {
  /** Stores a signalled decision. */
  decided(signalled: unknown): void
  /** Stores the row's decisions that were not signalled to this run. */
  recall(row: SnapshotBeforeAdvance): void
  /** Counts from the beginning in a new stage. */
  stageChanged(): void
  /** Takes the step of a stage before `approved`. Returns false when the step is the same as in new runs. */
  step(row: SnapshotBeforeAdvance): Promise<boolean>
}

/** Creates the state of such a run. */
export function createBeforeAdvance(course: Course): BeforeAdvance {
  const { input } = course
  const intent = { hash: input.intentHash, initiators: [input.initiator] }
  const approvals: Approval[] = []
  /** Number of decisions at the last tally. */
  let counted = 0

  /**
   * Has the stored rows decide when the tally is new. Returns false when it is not new: the stored rows did
   * not agree with it.
   */
  async function decide(wanted: readonly string[], requirement?: Requirement): Promise<boolean> {
    const tally = tallyApprovals(approvals, intent, requirement)
    if (!wanted.includes(tally) || approvals.length <= counted) return false
    counted = approvals.length
    await core.decideWithdrawal(input.id)
    return true
  }

  async function awaitReview(row: SnapshotBeforeAdvance): Promise<void> {
    if (await decide(['rejected'])) return
    if (course.isOver()) return core.expireWithdrawal(input.id)
    const text = `Waiting for a manual review, because ${row.reviewReason}; expires ${toMinute(input.expiresAt)}`
    await course.poll(course.untilExpiry(), text)
  }

  async function awaitApprovals(requirement: Requirement): Promise<void> {
    if (await decide(['approved', 'rejected'], requirement)) return
    if (course.isOver()) return core.expireWithdrawal(input.id)
    const given = countApprovers(approvals, intent, requirement)
    const text = describeApprovals(given, requirement.count, input.expiresAt)
    await course.sleep(course.untilExpiry(), text)
  }

  return {
    decided(signalled) {
      if (isApproval(signalled)) approvals.push(signalled)
    },
    recall(row) {
      for (const stored of row.approvals ?? []) {
        const known = approvals.some(
          ({ person_id, signature }) => person_id === stored.person_id && signature === stored.signature,
        )
        if (!known) approvals.push(stored)
      }
    },
    stageChanged() {
      counted = 0
    },
    async step(row) {
      switch (row.stage) {
        case 'requested':
          if (!row.unscreened) await core.admitWithdrawal(input.id)
          else if (course.isOver()) await core.expireWithdrawal(input.id)
          else return false
          return true
        case 'pending_review':
          await awaitReview(row)
          return true
        case 'pending_approval':
          await awaitApprovals(row.approvalRequirement ?? FOUR_EYES)
          return true
        default:
          return false
      }
    },
  }
}

/** Whether a signal is a decision. Anyone who reaches Temporal can send one that is not. */
function isApproval(value: unknown): value is Approval {
  if (typeof value !== 'object' || value === null) return false
  const { person_id, intent_hash, decision } = value as Partial<Approval>
  const texts = typeof person_id === 'string' && typeof intent_hash === 'string'
  return texts && (decision === 'approve' || decision === 'reject')
}
