/** Defines the tasks that a helper thread can take over. None of them holds a secret. */

import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { readBack, type Unread } from './read-back.js'

/** The signature of an approver that is to be verified. */
export interface ApprovalTask {
  readonly family: 'approval'
  /** Raw Ed25519 key in base64url. It is the pinned one, never from the request. */
  readonly key: string
  readonly message: string
  /** Base64. */
  readonly signature: string
}

export type Task = ApprovalTask | Unread

/** Most keys that are kept. A policy has a few. */
const MAX_KEYS = 256
const keys = new Map<string, KeyObject>()

/** Returns whether an approval is signed, or a signed transaction is what was checked. It never throws. */
export function holds(task: Task): boolean {
  try {
    if (task.family === 'approval') {
      const { message, signature } = task
      return verify(null, Buffer.from(message), keyOf(task.key), Buffer.from(signature, 'base64'))
    }
    readBack(task)
    return true
  } catch {
    return false
  }
}

function keyOf(x: string): KeyObject {
  const known = keys.get(x)
  if (known) return known
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  if (keys.size === MAX_KEYS) keys.clear()
  keys.set(x, key)
  return key
}
