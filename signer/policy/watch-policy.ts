/** The policy as its file has it now: an edit holds from the next batch on, after a mistake nothing is signed. */

import { readFileSync, statSync } from 'node:fs'
import { log } from '../log.js'
import { type Policy, parsePolicy } from './policy.js'

/** Returns a function that gives the policy of this moment, or null while the file cannot be read. */
export function watchPolicy(path: string): () => Policy | null {
  let seen = ''
  let policy: Policy | null = null
  return () => {
    const mark = markOf(path)
    if (mark === seen) return policy
    seen = mark
    try {
      policy = parsePolicy(readFileSync(path, 'utf8'))
      log('info', 'The policy is in force', { policy_hash: policy.hash, approvers: policy.approvers.size })
    } catch (error) {
      policy = null
      log('error', 'The policy cannot be read; nothing is signed until it can', {
        reason: error instanceof Error ? error.message : 'unknown',
      })
    }
    return policy
  }
}

function markOf(path: string): string {
  try {
    const { mtimeNs, size, ino } = statSync(path, { bigint: true })
    return `${mtimeNs}/${size}/${ino}`
  } catch {
    return 'missing'
  }
}
