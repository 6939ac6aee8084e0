/**
 * Reads the policy as its file has it now. A sealed edit counts from the next portion on; after any other
 * edit nothing is signed.
 */

import { readFileSync, statSync } from 'node:fs'
import type { Home } from '../home/home.js'
import { log } from '../log.js'
import { type Policy, parsePolicy } from './policy.js'
import { isSealed } from './seal.js'

/**
 * Returns a function that gives the policy of this moment. It gives `null` while the file cannot be read or
 * is not sealed.
 *
 * @param key - See `policySealKey`.
 */
export function watchPolicy(home: Home, key: Uint8Array): () => Policy | null {
  let seen = ''
  let policy: Policy | null = null
  return () => {
    const mark = `${markOf(home.policy)} ${markOf(home.seal)}`
    if (mark === seen) return policy
    seen = mark
    try {
      const text = readFileSync(home.policy, 'utf8')
      const read = parsePolicy(text)
      if (!isSealed(home, key, text)) {
        throw new Error('policy.json was changed without its seal; see keyturn-signer policy --help')
      }
      policy = read
      log('info', 'The policy is in force', { policy_hash: policy.hash, approvers: policy.approvers.size })
    } catch (error) {
      policy = null
      log('error', 'The policy cannot be used; nothing is signed until it can', {
        reason: error instanceof Error ? error.message : 'unknown',
      })
    }
    return policy
  }
}

function markOf(path: string): string {
  try {
    const { mtimeNs, ctimeNs, size, ino } = statSync(path, { bigint: true })
    return `${mtimeNs}/${ctimeNs}/${size}/${ino}`
  } catch {
    return 'missing'
  }
}
