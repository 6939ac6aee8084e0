/** Records a person's signed decision: makes every check and stores the row in the caller's transaction. */

import { createPublicKey, verify } from 'node:crypto'
import { approvalMessage, type Decision, tallyApprovals } from '../../../domain/controls/approval.js'
import { KeyturnError } from '../../../domain/errors.js'
import { insertAudit } from '../../audit/append-audit.js'
import type { Transaction } from '../../connect.js'
import { newId } from '../../new-id.js'
import type { ApprovalSubject, LockSubject } from './approval-subject.js'
import { readApprovals } from './read-approvals.js'

/** Accepted difference between the clock of an approver's machine and ours. */
const SKEW_MS = 300_000
/** DER prefix of an Ed25519 public key (RFC 8410), which the 32 raw bytes follow. */
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex')

export interface NewApproval {
  readonly merchantId: string
  /** Id of the withdrawal, batch, policy change or whitelist entry. */
  readonly subjectId: string
  /** Person behind the API key. `null` if the key belongs to no person. */
  readonly personId: string | null
  /** Approver key that signed. Default: the person's key that verifies the signature. */
  readonly approverId?: string | undefined
  readonly decision: Decision
  readonly intentHash: string
  /** Time of the signature (ISO 8601), exactly as signed. */
  readonly signedAt: string
  /** Ed25519 signature of `approvalMessage`, in base64. */
  readonly signature: string
  readonly reason: string | null
  readonly actor: string
}

export interface StoredApproval {
  readonly id: string
  readonly subject_id: string
  readonly approver_id: string
  readonly person_id: string
  readonly decision: Decision
  readonly intent_hash: string
  readonly signed_at: string
  readonly signature: string
  readonly created_at: Date
}

/**
 * Records a decision. `signalled_at` stays `null` until the workflow has received it.
 *
 * @throws KeyturnError `NOT_AN_APPROVER`, `NOT_FOUND`, `INITIATOR_CANNOT_APPROVE`, `ALREADY_DECIDED`,
 * `INTENT_HASH_MISMATCH`, `VALIDATION_FAILED` (signed_at), `INVALID_APPROVAL_SIGNATURE`.
 */
export async function recordApproval(
  tx: Transaction,
  request: NewApproval,
  lockSubject: LockSubject,
): Promise<StoredApproval> {
  const keys = await approversOf(tx, request)
  const subject = await lockSubject(tx, request.merchantId, request.subjectId)
  const personId = keys[0].person_id
  if (subject.initiators.includes(personId)) {
    throw new KeyturnError(
      'INITIATOR_CANNOT_APPROVE',
      'You requested this or changed what it pays, so you cannot decide about it. Two other people must decide',
      { details: { id: subject.id } },
    )
  }
  requireSigner(subject, request, keys)
  if (request.intentHash !== subject.intentHash) {
    throw new KeyturnError(
      'INTENT_HASH_MISMATCH',
      'This is not the hash of the intent. Read /intent again and check what you sign',
      { details: { id: subject.id, expected: subject.intentHash, sent: request.intentHash } },
    )
  }
  await requireUndecided(tx, subject, personId)
  requireTime(request.signedAt, subject.createdAt)
  const approver = keys.find((key) => signed(key, request))
  if (!approver) {
    throw new KeyturnError(
      'INVALID_APPROVAL_SIGNATURE',
      'None of your registered approver keys made this signature over this decision. Sign "keyturn-approval-v1", intent_hash, decision, approver_id and signed_at, each on its own line',
      { details: { id: subject.id, approver_ids: keys.map((key) => key.id) } },
    )
  }
  requireSigner(subject, request, [approver])
  const id = newId('apv')
  const audit = insertAudit(tx, {
    merchantId: request.merchantId,
    actor: request.actor,
    action: `${subject.type}.${request.decision === 'approve' ? 'approval_given' : 'rejection_given'}`,
    subject: subject.id,
    data: {
      approval_id: id,
      approver_id: approver.id,
      decision: request.decision,
      intent_hash: request.intentHash,
      signed_at: request.signedAt,
      signature: request.signature,
      reason: request.reason,
    },
  })
  const [stored] = await tx<StoredApproval[]>`
    WITH audit AS (${audit})
    INSERT INTO approvals (id, merchant_id, subject_type, subject_id, person_id, approver_id, decision, intent_hash,
                           signed_at, signature, reason)
    VALUES (${id}, ${request.merchantId}, ${subject.type}, ${subject.id}, ${personId}, ${approver.id},
            ${request.decision}, ${request.intentHash}, ${request.signedAt}, ${request.signature}, ${request.reason})
    RETURNING id, subject_id, approver_id, person_id, decision, intent_hash, signed_at, signature, created_at`
  if (!stored) throw new Error('The approval was not stored')
  return stored
}

interface ApproverKey {
  readonly id: string
  readonly person_id: string
  readonly ed25519_public_key: Uint8Array
}

async function approversOf(
  tx: Transaction,
  request: NewApproval,
): Promise<readonly [ApproverKey, ...ApproverKey[]]> {
  const [first, ...others] = await tx<ApproverKey[]>`
    SELECT id, person_id, ed25519_public_key FROM approvers
    WHERE merchant_id = ${request.merchantId} AND person_id = ${request.personId} AND revoked_at IS NULL
      AND (${request.approverId ?? null}::text IS NULL OR id = ${request.approverId ?? null})
    ORDER BY id`
  if (first) return [first, ...others]
  throw new KeyturnError(
    'NOT_AN_APPROVER',
    'Use the API key of a person who has a registered approver key that is not revoked',
  )
}

/**
 * Refuses an approval by a person who is not a listed signer, before their one decision is used. All may
 * reject.
 */
function requireSigner(
  { id, requirement }: ApprovalSubject,
  request: NewApproval,
  keys: readonly ApproverKey[],
): void {
  const { signers } = requirement
  if (request.decision === 'reject' || signers.length === 0) return
  if (keys.some((key) => signers.some((signer) => signer.id === key.id))) return
  throw new KeyturnError(
    'NOT_AN_APPROVER',
    'For this amount the policy requires one of the listed signers, and this key is not among them',
    { details: { id, signers: signers.map((signer) => signer.id) } },
  )
}

async function requireUndecided(tx: Transaction, subject: ApprovalSubject, personId: string): Promise<void> {
  const decisions = await readApprovals(tx, subject.id)
  const mine = decisions.find((each) => each.person_id === personId)
  if (mine) {
    throw new KeyturnError('ALREADY_DECIDED', 'You have already decided about this. A decision is final', {
      details: { id: subject.id, decision: mine.decision },
    })
  }
  const { intentHash, initiators, requirement } = subject
  const tally = tallyApprovals(decisions, { hash: intentHash, initiators }, requirement)
  if (subject.open && tally === 'waiting' && subject.expiresAt.getTime() > Date.now()) return
  throw new KeyturnError('ALREADY_DECIDED', 'This is already decided or has expired', {
    details: { id: subject.id, stage: subject.state, expires_at: subject.expiresAt.toISOString() },
  })
}

function requireTime(signedAt: string, createdAt: Date): void {
  const time = Date.parse(signedAt)
  const late = time > Date.now() + SKEW_MS
  if (!Number.isNaN(time) && !late && time >= createdAt.getTime() - SKEW_MS) return
  const reason = late ? 'lies in the future; check your clock' : 'lies before the creation of the request'
  throw new KeyturnError('VALIDATION_FAILED', `signed_at ${reason}`, {
    details: { in: 'body', fields: [{ path: 'signed_at', reason }] },
  })
}

function signed(key: ApproverKey, request: NewApproval): boolean {
  const message = approvalMessage({
    approver_id: key.id,
    decision: request.decision,
    intent_hash: request.intentHash,
    signed_at: request.signedAt,
  })
  const publicKey = createPublicKey({
    key: Buffer.concat([SPKI_ED25519, key.ed25519_public_key]),
    format: 'der',
    type: 'spki',
  })
  return verify(null, Buffer.from(message, 'utf8'), publicKey, Buffer.from(request.signature, 'base64'))
}
