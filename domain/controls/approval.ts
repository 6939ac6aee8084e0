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

/** What a subject needs; frozen when it is made, so that a later policy changes nothing about it. */
export interface Requirement {
  /** Distinct persons; never fewer than two count. */
  readonly count: number
  /** Only approvals of these registrations count, with their role; none means every approver's does. */
  readonly signers: readonly { readonly id: string; readonly role: string }[]
  /** Roles of which at least one of those who approve must be. */
  readonly roles: readonly string[]
}

/** Two people, whoever they are. */
export const FOUR_EYES: Requirement = { count: QUORUM, signers: [], roles: [] }

/** The text whose UTF-8 bytes an approver signs. */
export function approvalMessage(
  approval: Pick<Approval, 'approver_id' | 'decision' | 'intent_hash' | 'signed_at'>,
): string {
  return `keyturn-approval-v1\n${approval.intent_hash}\n${approval.decision}\n${approval.approver_id}\n${approval.signed_at}`
}

/** Everyone who asked for a subject or shaped what it pays; none of them approves it. */
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
