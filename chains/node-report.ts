/** What is known of the nodes of a network, for operators. */

import { type Unusable, UnusableNode } from './guard-node.js'

export interface NodeReport {
  /** Place in the network's `rpc_urls`, from 1; the URL itself may carry credentials. */
  readonly endpoint: number
  readonly state: 'ok' | 'unreachable' | Unusable
  /** Why it is not used, for people; null when it is. */
  readonly reason: string | null
}

/** Runs the checks of one node and says what came of them. */
export async function reportNode(endpoint: number, examine: () => Promise<void>): Promise<NodeReport> {
  try {
    await examine()
    return { endpoint, state: 'ok', reason: null }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { endpoint, state: error instanceof UnusableNode ? error.state : 'unreachable', reason }
  }
}
