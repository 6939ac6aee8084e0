/** Detects whether a node is Bitcoin Core or btcd. */

import { z } from 'zod'
import type { Rpc } from './create-rpc.js'
import { NodeError } from './node-error.js'

/**
 * Flavour of a node. `core`: Bitcoin Core and its relatives (litecoind, Bitcoin Cash Node). `btcd` lacks some
 * methods; see the callers.
 */
export type NodeFlavour = 'core' | 'btcd'

/** Asks the node for its flavour. All nodes of a network are expected to have the same. */
export async function detectFlavour(rpc: Rpc): Promise<NodeFlavour> {
  try {
    const info = await rpc.call('getnetworkinfo', [], z.object({ subversion: z.string() }))
    return info.subversion.includes('btcd') ? 'btcd' : 'core'
  } catch (error) {
    // btcd has no getnetworkinfo, but names the version of its API.
    if (!(error instanceof NodeError) || !error.isUnsupported) throw error
  }
  const versions = await rpc.call('version', [], z.record(z.string(), z.unknown()))
  return 'btcdjsonrpcapi' in versions ? 'btcd' : 'core'
}
