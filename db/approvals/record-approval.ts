/** Takes a person's signed decision on a withdrawal: every check and the row in the caller's transaction. */

import { createPublicKey, verify } from 'node:crypto'
import { approvalMessage, type Decision, QUORUM, tallyApprovals } from '../../domain/approval.js'
import { KeyturnError } from '../../domain/errors.js'
import { appendAudit } from '../audit/append-audit.js'
import type { Transaction } from '../connect.js'
import { newId } from '../new-id.js'
import { withdrawalNotFound } from '../withdrawals/find-withdrawal.js'
import type { WithdrawalRow } from '../withdrawals/withdrawal-row.js'

/** Clocks of approvers' machines may be this far off. */
const SKEW_MS = 300_000
/** DER prefix of an Ed25519 public key (RFC 8410); the 32 raw bytes follow. */
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex')

export interface NewApproval {
  readonly merchantId: string
  readonly withdrawalId: string
  /** The person behind the API key; null where the key has none. */
  readonly personId: string | null
  /** Which of the person's keys signed; by default the one whose key verifies. */
  readonly approverId?: string | undefined
  readonly decision: Decision
  readonly intentHash: string
  /** ISO 8601, exactly as signed. */
  readonly signedAt: string
  /** Base64 Ed25519 of `approvalMessage`. */
  readonly signature: string
  readonly reason: string | null
  readonly actor: string
}

export interface StoredApproval {
  readonly id: string
  readonly approver_id: string
  readonly person_id: string
  readonly decision: Decision
  readonly intent_hash: string
  readonly signed_at: string
  readonly signature: string
  readonly created_at: Date
}

/**
 * Records a decision; the workflow counts it when it is signalled (`signalled_at` null until then).
 *
 * @throws KeyturnError `NOT_AN_APPROVER`, `NOT_FOUND`, `INITIATOR_CANNOT_APPROVE`, `ALREADY_DECIDED`,
 * `INTENT_HASH_MISMATCH`, `VALIDATION_FAILED` (signed_at), `INVALID_APPROVAL_SIGNATURE`.
 */
export async function recordApproval(tx: Transaction, request: NewApproval): Promise<StoredApproval> {
  const keys = await approversOf(tx, request)
  const [row] = await tx<WithdrawalRow[]>`
    SELECT * FROM withdrawals WHERE id = ${request.withdrawalId} AND merchant_id = ${request.merchantId} FOR UPDATE`
  if (!row) throw withdrawalNotFound(request.withdrawalId)
  const personId = keys[0].person_id
  if (personId === row.initiator) {
    throw new KeyturnError(
      'INITIATOR_CANNOT_APPROVE',
      'Whoever asked for a withdrawal cannot decide about it; two other people must',
      { details: { id: row.id } },
    )
  }
  if (request.intentHash !== row.intent_hash) {
    throw new KeyturnError(
      'INTENT_HASH_MISMATCH',
      'This is not the hash of the intent; read /intent again and check what you sign',
      { details: { id: row.id, expected: row.intent_hash, sent: request.intentHash } },
    )
  }
  await requireUndecided(tx, row, personId)
  requireTime(request.signedAt, row.created_at)
  const approver = keys.find((key) => signed(key, request))
  if (!approver) {
    throw new KeyturnError(
      'INVALID_APPROVAL_SIGNATURE',
      'The signature is not one of your registered approver keys over this decision; sign "keyturn-approval-v1", intent_hash, decision, approver_id and signed_at, each on a line',
      { details: { id: row.id, approver_ids: keys.map((key) => key.id) } },
    )
  }
  const [stored] = await tx<StoredApproval[]>`
    INSERT INTO approvals (id, merchant_id, subject_type, subject_id, person_id, approver_id, decision, intent_hash,
                           signed_at, signature, reason)
    VALUES (${newId('apv')}, ${request.merchantId}, 'withdrawal', ${row.id}, ${personId}, ${approver.id},
            ${request.decision}, ${request.intentHash}, ${request.signedAt}, ${request.signature}, ${request.reason})
    RETURNING id, approver_id, person_id, decision, intent_hash, signed_at, signature, created_at`
  if (!stored) throw new Error('The approval was not stored')
  await appendAudit(tx, {
    merchantId: request.merchantId,
    actor: request.actor,
    action: `withdrawal.${request.decision === 'approve' ? 'approval_given' : 'rejection_given'}`,
    subject: row.id,
    data: {
      approval_id: stored.id,
      approver_id: stored.approver_id,
      decision: stored.decision,
      intent_hash: stored.intent_hash,
      signed_at: stored.signed_at,
      signature: stored.signature,
      reason: request.reason,
    },
  })
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
    "Send this with the API key of a person who has a registered approver's key that is not revoked",
  )
}

async function requireUndecided(tx: Transaction, row: WithdrawalRow, personId: string): Promise<void> {
  const decisions = await tx<
    { id: string; person_id: string; decision: Decision; intent_hash: string }[]
  >`SELECT id, person_id, decision, intent_hash FROM approvals WHERE subject_id = ${row.id}`
  const mine = decisions.find((each) => each.person_id === personId)
  if (mine) {
    throw new KeyturnError('ALREADY_DECIDED', 'You have decided about this before; a decision is final', {
      details: { id: row.id, decision: mine.decision },
    })
  }
  const open = row.stage === 'requested' || row.stage === 'pending_review' || row.stage === 'pending_approval'
  const tally = tallyApprovals(decisions, { hash: row.intent_hash, initiator: row.initiator }, QUORUM)
  if (open && tally === 'waiting' && row.expires_at.getTime() > Date.now()) return
  throw new KeyturnError('ALREADY_DECIDED', 'This is decided already, or its time is over', {
    details: { id: row.id, stage: row.stage, expires_at: row.expires_at.toISOString() },
  })
}

function requireTime(signedAt: string, createdAt: Date): void {
  const time = Date.parse(signedAt)
  const late = time > Date.now() + SKEW_MS
  if (!Number.isNaN(time) && !late && time >= createdAt.getTime() - SKEW_MS) return
  const reason = late ? 'lies in the future; check your clock' : 'lies before the withdrawal was made'
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
