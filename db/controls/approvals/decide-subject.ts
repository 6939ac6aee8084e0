/**
 * Decides a withdrawal, a batch or a change of controls: by the decisions that are stored, then by the time.
 */

import {
  countApprovers,
  initiatorsOf,
  type Requirement,
  tallyApprovals,
} from '../../../domain/controls/approval.js'
import type { Queryable, Transaction } from '../../connect.js'
import { readApprovals, type StoredDecision } from './read-approvals.js'

/** What a row of any subject has. */
interface Subject {
  readonly id: string
  readonly intent_hash: string
  readonly initiator: string
  readonly co_initiators?: readonly string[]
  readonly expires_at: Date
}

interface Rule {
  readonly requirement: Requirement
  /** Whether approvals are enough. While a review is open they are not, but a rejection is. */
  readonly mayApprove: boolean
  /** Clock of the process that waits. */
  readonly now: Date
}

export type Verdict =
  /** `approvedBy`: number of persons whose approvals count so far. */
  | { readonly kind: 'waiting'; readonly approvedBy: number }
  /** `cause`: shown in the subject's history. */
  | { readonly kind: 'approved'; readonly cause: string }
  | {
      readonly kind: 'rejected'
      /** Person who rejected, as an actor of the audit log. */
      readonly actor: string
      readonly failure: { readonly code: 'REJECTED'; readonly message: string }
    }
  | { readonly kind: 'expired' }

/**
 * Returns what has become of a subject that the caller has locked. One rejection rejects, enough approvals
 * approve, and only a subject without either expires. Only stored, signed decisions count: a forged signal to
 * a workflow changes nothing.
 */
export async function decideSubject(tx: Transaction, subject: Subject, rule: Rule): Promise<Verdict> {
  const decisions = await readApprovals(tx, subject.id)
  const tally = tallyApprovals(decisions, intentOf(subject), rule.requirement)
  if (tally === 'rejected') return rejected(decisions)
  if (tally === 'approved' && rule.mayApprove) {
    await markCounted(tx, decisions)
    return {
      kind: 'approved',
      cause: `approved by ${decisions.map((decision) => decision.person_id).join(' and ')}`,
    }
  }
  if (subject.expires_at <= rule.now) return { kind: 'expired' }
  return { kind: 'waiting', approvedBy: countApprovers(decisions, intentOf(subject), rule.requirement) }
}

/** Counts the persons whose approvals of a subject count so far. */
export async function countStoredApprovals(
  sql: Queryable,
  subject: Subject,
  requirement: Requirement,
): Promise<number> {
  return countApprovers(await readApprovals(sql, subject.id), intentOf(subject), requirement)
}

function intentOf(subject: Subject) {
  return { hash: subject.intent_hash, initiators: initiatorsOf(subject) }
}

function rejected(decisions: readonly StoredDecision[]): Verdict {
  const rejection = decisions.find((decision) => decision.decision === 'reject')
  const reason = rejection?.reason ? `: ${rejection.reason}` : ''
  return {
    kind: 'rejected',
    actor: `person:${rejection?.person_id ?? 'unknown'}`,
    failure: { code: 'REJECTED', message: `Rejected by an approver${reason}` },
  }
}

/**
 * Marks the approvals with which the threshold was met, so that they count even when an approver is removed
 * later.
 */
async function markCounted(tx: Transaction, decisions: readonly StoredDecision[]): Promise<void> {
  await tx`
    UPDATE approvals SET counted_at = clock_timestamp()
    WHERE id = ANY (${decisions.map((decision) => decision.id)}) AND decision = 'approve'`
}
