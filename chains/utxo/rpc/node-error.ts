/** Names the errors of a node's JSON-RPC. */

import { KeyturnError } from '../../../domain/errors.js'

/**
 * Codes of Bitcoin Core's JSON-RPC (src/rpc/protocol.h) that the adapter knows. btcd uses the same numbers.
 */
export const NODE_CODE = {
  misc: -1,
  invalidAddressOrKey: -5,
  invalidParameter: -8,
  deserialization: -22,
  verifyError: -25,
  verifyRejected: -26,
  alreadyInChain: -27,
  warmingUp: -28,
  methodNotFound: -32601,
} as const

/** Thrown when a node answers with an error. `nodeCode` and `nodeMessage` are the node's own. */
export class NodeError extends KeyturnError {
  readonly nodeCode: number
  readonly nodeMessage: string

  constructor(network: string, method: string, nodeCode: number, nodeMessage: string) {
    super('DEPENDENCY_UNAVAILABLE', `The ${network} node refused ${method}: ${nodeMessage}`, {
      details: { network, method, node_code: nodeCode },
      retryable: true,
    })
    this.nodeCode = nodeCode
    this.nodeMessage = nodeMessage
  }

  /** Returns whether the node lacks the method (btcd says -1 for known ones that it never built). */
  get isUnsupported(): boolean {
    return (
      this.nodeCode === NODE_CODE.methodNotFound ||
      (this.nodeCode === NODE_CODE.misc && /unimplemented|not implemented/i.test(this.nodeMessage))
    )
  }
}
