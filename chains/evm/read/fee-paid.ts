/** What a mined transaction cost its sender. */

import { toBigInt } from '../quantity.js'

/**
 * gasUsed × effectiveGasPrice in wei, and with it what else the receipt says was taken: the price of blobs (EIP-4844), and the
 * share of the parent chain (`l1Fee` of OP-Stack chains), without which the books would not meet the balance.
 */
export function feePaid(receipt: Readonly<Record<string, unknown>>): bigint {
  const execution =
    toBigInt(receipt.gasUsed, 'gasUsed') * toBigInt(receipt.effectiveGasPrice, 'effectiveGasPrice')
  return execution + optional(receipt.blobGasUsed) * optional(receipt.blobGasPrice) + optional(receipt.l1Fee)
}

function optional(value: unknown): bigint {
  return value === undefined || value === null ? 0n : toBigInt(value, 'receipt fee')
}
