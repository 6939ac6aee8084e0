/** Computes the cost of a mined transaction for its sender. */

import { toBigInt } from '../quantity.js'

/**
 * Returns gasUsed × effectiveGasPrice in wei, and the further costs of the receipt: the price of blobs
 * (EIP-4844), and the parent chain's share (`l1Fee` of OP-Stack chains). Without them the books would not
 * meet the balance.
 */
export function feePaid(receipt: Readonly<Record<string, unknown>>): bigint {
  const execution =
    toBigInt(receipt.gasUsed, 'gasUsed') * toBigInt(receipt.effectiveGasPrice, 'effectiveGasPrice')
  return execution + optional(receipt.blobGasUsed) * optional(receipt.blobGasPrice) + optional(receipt.l1Fee)
}

function optional(value: unknown): bigint {
  return value === undefined || value === null ? 0n : toBigInt(value, 'receipt fee')
}
