/** Reports the state of a network's nodes, for operators. */

import { type Unusable, UnusableNode } from './guard-node.js'

export interface NodeReport {
  /** Place in the network's `rpc_urls`, from 1. The URL itself may carry credentials. */
  readonly endpoint: number
  readonly state: 'ok' | 'unreachable' | Unusable
  /** Why it is not used, for people. `null` if it is. */
  readonly reason: string | null
}

/** Runs the checks of one node and returns their result. */
export async function reportNode(endpoint: number, examine: () => Promise<void>): Promise<NodeReport> {
  try {
    await examine()
    return { endpoint, state: 'ok', reason: null }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { endpoint, state: error instanceof UnusableNode ? error.state : 'unreachable', reason }
  }
}
