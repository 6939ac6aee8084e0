/** The digest that a SegWit v0 P2WPKH input signs (BIP-143), for SIGHASH_ALL only. */

import { createHash } from 'node:crypto'
import type { Transaction } from './read-transaction.js'

/** Sign all inputs and all outputs; the only type that this signer knows. */
export const SIGHASH_ALL = 1

/**
 * Makes the digest function of one transaction; what all inputs share is hashed once.
 *
 * @returns Digest of an input, given HASH160 of its key and the amount that it spends (from its parent).
 */
export function segwitSighash(
  transaction: Transaction,
): (index: number, keyHash: Uint8Array, amount: bigint) => Buffer {
  const prevouts = twice(...transaction.inputs.map((input) => input.outpointBytes))
  const sequences = twice(...transaction.inputs.map((input) => u32(input.sequence)))
  const outputs = twice(...transaction.outputs.map((output) => output.bytes))
  const version = Buffer.alloc(4)
  version.writeInt32LE(transaction.version)
  return (index, keyHash, amount) => {
    const input = transaction.inputs[index]
    if (!input) throw new RangeError('The transaction has no such input')
    const value = Buffer.alloc(8)
    value.writeBigUInt64LE(amount)
    return twice(
      version,
      prevouts,
      sequences,
      input.outpointBytes,
      Buffer.from([0x19, 0x76, 0xa9, 0x14]),
      keyHash,
      Buffer.from([0x88, 0xac]),
      value,
      u32(input.sequence),
      outputs,
      u32(transaction.locktime),
      u32(SIGHASH_ALL),
    )
  }
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function twice(...parts: readonly Uint8Array[]): Buffer {
  const once = createHash('sha256')
  for (const part of parts) once.update(part)
  return createHash('sha256').update(once.digest()).digest()
}
