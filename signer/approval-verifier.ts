/** Verifies approvers' signatures, on other threads for whole batches before the decision. */

import { type KeyObject, verify } from 'node:crypto'
import { approvalMessage } from '../domain/controls/approval.js'
import type { ParsedApproval, ParsedRequest } from './parse-request.js'
import type { Policy } from './policy/policy.js'

/** Verifier of approvers' signatures. */
export interface ApprovalVerifier {
  /** Returns whether the key signed the decision. @param key - From the policy, never from the request. */
  isSigned(key: KeyObject, approval: ParsedApproval): boolean
  /** Verifies a request's approvals on other threads, so that `isSigned` only reads the stored answers. */
  prefetch(request: ParsedRequest, policy: Policy): Promise<void>
}

/** Most answers that are kept. Each belongs to one key, text and signature, so it can never become wrong. */
const MAX_ANSWERS = 4_096

/** Creates a verifier. */
export function createApprovalVerifier(): ApprovalVerifier {
  const answers = new WeakMap<KeyObject, Map<string, boolean>>()

  function remember(key: KeyObject, question: string, answer: boolean): void {
    const known = answers.get(key) ?? new Map<string, boolean>()
    const oldest = known.keys().next()
    if (known.size >= MAX_ANSWERS && !oldest.done) known.delete(oldest.value)
    known.set(question, answer)
    answers.set(key, known)
  }

  return {
    isSigned(key, approval) {
      const question = questionOf(approval)
      const known = answers.get(key)?.get(question)
      if (known !== undefined) return known
      return verify(
        null,
        Buffer.from(approvalMessage(approval)),
        key,
        Buffer.from(approval.signature, 'base64'),
      )
    },
    async prefetch({ approvals }, policy) {
      await Promise.all(
        approvals.map(async (approval) => {
          const pinned = policy.approvers.get(approval.approver_id)
          if (!pinned) return
          remember(pinned.key, questionOf(approval), await verifyElsewhere(pinned.key, approval))
        }),
      )
    },
  }
}

function questionOf(approval: ParsedApproval): string {
  return `${approvalMessage(approval)}\n${approval.signature}`
}

function verifyElsewhere(key: KeyObject, approval: ParsedApproval): Promise<boolean> {
  const message = Buffer.from(approvalMessage(approval))
  return new Promise((resolve, reject) => {
    verify(null, message, key, Buffer.from(approval.signature, 'base64'), (error, valid) =>
      error ? reject(error) : resolve(valid),
    )
  })
}
