/** Signs an approver's decision about an intent. */

import { type KeyObject, sign } from 'node:crypto'
import { approvalMessage, type Decision } from '../../domain/controls/approval.js'

/** The body of `POST …/approvals`. */
export interface SignedDecision {
  readonly decision: Decision
  readonly intent_hash: string
  /** ISO 8601 UTC. */
  readonly signed_at: string
  /** Ed25519 signature, in base64. */
  readonly signature: string
  readonly reason?: string
}

/**
 * Signs with an approver's Ed25519 key.
 *
 * @param options - `intentHash` is the hash of the intent that the approver checked, never one that the
 * platform named.
 */
export function signDecision(options: {
  readonly decision: Decision
  readonly intentHash: string
  readonly approverId: string
  readonly privateKey: KeyObject
  readonly reason?: string | undefined
  readonly now?: Date
}): SignedDecision {
  const unsigned = {
    decision: options.decision,
    intent_hash: options.intentHash,
    signed_at: (options.now ?? new Date()).toISOString(),
  }
  const message = approvalMessage({ ...unsigned, approver_id: options.approverId })
  return {
    ...unsigned,
    signature: sign(null, Buffer.from(message), options.privateKey).toString('base64'),
    ...(options.reason === undefined ? {} : { reason: options.reason }),
  }
}
