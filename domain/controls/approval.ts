/** Defines the text that an approver signs, and counts when a set of approvals is a quorum. */

export type Decision = 'approve' | 'reject'

/** A person's decision. The API accepts it, the workflow counts it, and the customer's signer checks it again. */
export interface Approval {
  /** Id of the approver's registration (a key of a person). */
  readonly approver_id: string
  /** Person behind the key. One person with two keys counts once. */
  readonly person_id: string
  readonly decision: Decision
  /** Hash of the intent that the approver saw, in lower-case hex. */
  readonly intent_hash: string
  /** Time of the signature in ISO 8601 UTC, as signed. */
  readonly signed_at: string
  /** Ed25519 signature of `approvalMessage`, in base64. */
  readonly signature: string
}

/** The four-eyes principle: two distinct persons, neither of whom is an initiator. */
export const QUORUM = 2

/** Approvals that a subject needs. They are fixed when the subject is created, so a later policy changes nothing. */
export interface Requirement {
  /** Number of distinct persons. Values below two count as two. */
  readonly count: number
  /** Registrations whose approvals count, with their roles. Empty: every approver's approval counts. */
  readonly signers: readonly { readonly id: string; readonly role: string }[]
  /** Roles, each of which at least one of the approving persons must have. */
  readonly roles: readonly string[]
}

/** Any two people. */
export const FOUR_EYES: Requirement = { count: QUORUM, signers: [], roles: [] }

/** Returns the text whose UTF-8 bytes an approver signs. */
export function approvalMessage(
  approval: Pick<Approval, 'approver_id' | 'decision' | 'intent_hash' | 'signed_at'>,
): string {
  return `keyturn-approval-v1\n${approval.intent_hash}\n${approval.decision}\n${approval.approver_id}\n${approval.signed_at}`
}

/** Returns everyone who asked for a subject or shaped what it pays. None of them can approve it. */
export function initiatorsOf(subject: {
  readonly initiator: string
  readonly co_initiators?: readonly string[] | undefined
}): readonly string[] {
  return [subject.initiator, ...(subject.co_initiators ?? [])]
}

/**
 * Counts decisions on one intent. Decisions on another hash, by an initiator, or a person's second one do not
 * count, nor approvals by others than the required signers; one rejection by any approver is final.
 */
export function tallyApprovals(
  approvals: readonly Pick<Approval, 'approver_id' | 'person_id' | 'decision' | 'intent_hash'>[],
  intent: { readonly hash: string; readonly initiators: readonly string[] },
  requirement: Requirement = FOUR_EYES,
): 'waiting' | 'approved' | 'rejected' {
  const persons = new Set<string>()
  const roles = new Set<string>()
  for (const approval of approvals) {
    if (approval.intent_hash !== intent.hash || intent.initiators.includes(approval.person_id)) continue
    if (persons.has(approval.person_id)) continue
    if (approval.decision === 'reject') return 'rejected'
    const signer = requirement.signers.find((each) => each.id === approval.approver_id)
    if (!signer && requirement.signers.length > 0) continue
    if (signer) roles.add(signer.role)
    persons.add(approval.person_id)
  }
  const enough = persons.size >= Math.max(QUORUM, requirement.count)
  return enough && requirement.roles.every((role) => roles.has(role)) ? 'approved' : 'waiting'
}

/**
 * Counts the persons whose approvals of one intent count: each once, no initiator, and only required signers
 * where there are any.
 */
export function countApprovers(
  approvals: readonly Pick<Approval, 'approver_id' | 'person_id' | 'decision' | 'intent_hash'>[],
  intent: { readonly hash: string; readonly initiators: readonly string[] },
  { signers }: Requirement = FOUR_EYES,
): number {
  const persons = new Set<string>()
  for (const approval of approvals) {
    if (approval.decision !== 'approve' || approval.intent_hash !== intent.hash) continue
    if (intent.initiators.includes(approval.person_id)) continue
    if (signers.length > 0 && !signers.some((signer) => signer.id === approval.approver_id)) continue
    persons.add(approval.person_id)
  }
  return persons.size
}
