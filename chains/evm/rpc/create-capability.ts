/** Remembers whether the nodes of a network have a method. */

import type { RpcCall } from './create-endpoint.js'
import type { Rpc } from './create-rpc.js'

/**
 * Asks once and remembers a definite answer; an outage is neither yes nor no.
 *
 * @param configured - What the configuration says; null means ask.
 * @returns A function that rejects with `DEPENDENCY_UNAVAILABLE` while it cannot be known.
 */
export function createCapability(
  rpc: Rpc,
  call: RpcCall,
  configured: boolean | null,
): () => Promise<boolean> {
  let known = configured
  return async () => {
    known ??= await rpc.supports(call)
    return known
  }
}
