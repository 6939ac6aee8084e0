/** Verifies approvers' signatures, each once for a claim, with the help of other threads. */

import { type KeyObject, verify } from 'node:crypto'
import { approvalMessage } from '../domain/controls/approval.js'
import type { Helpers, SharedTask } from './helpers/helpers.js'
import type { ParsedApproval, ParsedRequest } from './parse-request.js'
import type { Policy } from './policy/policy.js'

/** Verifier of approvers' signatures. */
export interface ApprovalVerifier {
  /** Returns whether the key signed the decision. @param key - From the policy, never from the request. */
  isSigned(key: KeyObject, approval: ParsedApproval): boolean
  /**
   * Offers the approvals of some requests to other threads. The same key, text and signature in another
   * request of the claim, as in the parts of a batch, is not verified again.
   */
  prefetch(requests: readonly ParsedRequest[], policy: Policy, helpers: Helpers): void
  /** Forgets every answer, at the end of a claim. */
  forget(): void
}

/** An approval with its pinned key. */
interface Question {
  readonly key: KeyObject
  readonly text: string
  readonly approval: ParsedApproval
}

/** Creates a verifier. */
export function createApprovalVerifier(): ApprovalVerifier {
  let answers = new Map<KeyObject, Map<string, SharedTask>>()
  const keys = new WeakMap<KeyObject, string>()

  function rawKey(key: KeyObject): string {
    const raw = keys.get(key) ?? key.export({ format: 'jwk' }).x ?? ''
    keys.set(key, raw)
    return raw
  }

  function remember({ key, text }: Question, answer: SharedTask): void {
    const known = answers.get(key) ?? new Map<string, SharedTask>()
    answers.set(key, known.set(text, answer))
  }

  return {
    isSigned(key, approval) {
      const answer = answers.get(key)?.get(textOf(approval))
      if (!answer) return isSignedBy(key, approval)
      try {
        answer.finish()
        return true
      } catch {
        return false
      }
    },
    prefetch(requests, policy, helpers) {
      const asked = new Map<KeyObject, Set<string>>()
      const questions = requests
        .flatMap((request) => questionsOf(request, policy))
        .filter(({ key, text }) => {
          const texts = asked.get(key) ?? new Set()
          if (texts.has(text) || answers.get(key)?.has(text)) return false
          asked.set(key, texts.add(text))
          return true
        })
      if (questions.length === 0) return
      const tasks = helpers.offer(
        questions.map(({ key, approval }) => ({
          task: {
            family: 'approval',
            key: rawKey(key),
            message: approvalMessage(approval),
            signature: approval.signature,
          },
          here() {
            if (!isSignedBy(key, approval)) throw new Error('The signature is not valid')
          },
        })),
      )
      for (const [index, question] of questions.entries()) {
        const task = tasks[index]
        if (task) remember(question, task)
      }
    },
    forget() {
      answers = new Map()
    },
  }
}

function questionsOf({ approvals }: ParsedRequest, policy: Policy): Question[] {
  return approvals.flatMap((approval) => {
    const pinned = policy.approvers.get(approval.approver_id)
    return pinned ? [{ key: pinned.key, text: textOf(approval), approval }] : []
  })
}

/** Returns all that an answer depends on besides the key. */
function textOf(approval: ParsedApproval): string {
  return `${approvalMessage(approval)}\n${approval.signature}`
}

function isSignedBy(key: KeyObject, approval: ParsedApproval): boolean {
  return verify(null, Buffer.from(approvalMessage(approval)), key, Buffer.from(approval.signature, 'base64'))
}
