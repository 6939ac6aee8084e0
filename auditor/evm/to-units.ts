/** Reads a number of an EVM node's answer. */

import { AuditFailure } from '../audit-failure.js'
import type { RpcNode } from '../rpc/open-node.js'

/** Returns a hex quantity as a number. @throws AuditFailure `NODE_ANSWERS_WRONG`. */
export function toUnits(value: unknown, node: RpcNode, method: string): bigint {
  if (typeof value === 'string' && /^0x[0-9a-fA-F]{1,64}$/.test(value)) return BigInt(value)
  throw new AuditFailure('NODE_ANSWERS_WRONG', `The ${node.label} answers ${method} without a number`)
}
