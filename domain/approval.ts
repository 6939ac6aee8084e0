/** Approvals: the exact text that an approver signs, and when a set of them is a quorum. */

export type Decision = 'approve' | 'reject'

/** A decision as the API takes it, the workflow counts it and the customer's signer checks it again. */
export interface Approval {
  /** Id of the approver's registration (a key of a person). */
  readonly approver_id: string
  /** The person behind it: one person with two keys counts once. */
  readonly person_id: string
  readonly decision: Decision
  /** Lower-case hex of the intent that the approver saw. */
  readonly intent_hash: string
  /** ISO 8601 UTC, as signed. */
  readonly signed_at: string
  /** Base64 Ed25519 signature of `approvalMessage`. */
  readonly signature: string
}

/** The four-eyes principle: two distinct persons, neither of whom initiated. */
export const QUORUM = 2

/** The text whose UTF-8 bytes an approver signs. */
export function approvalMessage(
  approval: Pick<Approval, 'approver_id' | 'decision' | 'intent_hash' | 'signed_at'>,
): string {
  return `keyturn-approval-v1\n${approval.intent_hash}\n${approval.decision}\n${approval.approver_id}\n${approval.signed_at}`
}

/**
 * Counts decisions on one intent. Decisions on another hash, by the initiator, or a person's second one do not count;
 * one valid rejection is final.
 */
export function tallyApprovals(
  approvals: readonly Pick<Approval, 'person_id' | 'decision' | 'intent_hash'>[],
  intent: { readonly hash: string; readonly initiator: string },
  quorum: number = QUORUM,
): 'waiting' | 'approved' | 'rejected' {
  const persons = new Set<string>()
  for (const approval of approvals) {
    if (approval.intent_hash !== intent.hash || approval.person_id === intent.initiator) continue
    if (persons.has(approval.person_id)) continue
    if (approval.decision === 'reject') return 'rejected'
    persons.add(approval.person_id)
  }
  return persons.size >= Math.max(QUORUM, quorum) ? 'approved' : 'waiting'
}
