/**
 * Requires that the policy that a command changes is the sealed one. The operator reviews an edit by hand
 * first.
 */

import { Failure } from '../failure.js'
import type { Home } from '../home/home.js'
import type { Policy } from '../policy/policy.js'
import { isSealed } from '../policy/seal.js'
import { loadPolicy } from './export-policy.js'

/** Reads the policy. @throws Failure when it was changed without its seal, or is not usable. */
export function requireSealedPolicy(home: Home, key: Uint8Array): Policy {
  const policy = loadPolicy(home.policy)
  if (isSealed(home, key, policy.text)) return policy
  throw new Failure(
    `${home.policy} is not the policy that was sealed. Review the difference: keyturn-signer policy accept --home ${home.directory}`,
  )
}
