/** Remembers whether the nodes of a network have a method. */

import type { Rpc } from './create-rpc.js'
import type { RpcCall } from './rpc-call.js'

/**
 * Asks once and remembers a definite answer. An outage is neither yes nor no.
 *
 * @param configured - Answer of the configuration. `null` asks the node.
 * @param whenUnknown - Result while the answer is unknown. `fail` rejects with `DEPENDENCY_UNAVAILABLE`,
 * because a wrong no would hide transfers permanently. `no` does without for now.
 */
export function createCapability(
  rpc: Rpc,
  call: RpcCall,
  configured: boolean | null,
  whenUnknown: 'fail' | 'no',
): () => Promise<boolean> {
  let known = configured
  return async () => {
    if (known !== null) return known
    try {
      known = await rpc.supports(call)
      return known
    } catch (error) {
      if (whenUnknown === 'fail') throw error
      return false
    }
  }
}
