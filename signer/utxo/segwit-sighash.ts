/**
 * Computes the digest that a SegWit v0 P2WPKH input signs (BIP-143), and with another type a Bitcoin Cash
 * P2PKH input.
 */

import { createHash } from 'node:crypto'
import type { Transaction } from './read-transaction.js'
import { i32, u32 } from './write-integers.js'

/** Type that signs all inputs and all outputs. */
export const SIGHASH_ALL = 1

/**
 * Makes the digest function of one transaction. The parts that all inputs share are hashed once.
 *
 * @param sighashType - SIGHASH_ALL, with FORKID on Bitcoin Cash. Types that leave inputs or outputs out are
 * not known here.
 * @returns Digest of an input, given the HASH160 of its key and the amount that it spends (from its parent).
 */
export function segwitSighash(
  transaction: Transaction,
  sighashType: number = SIGHASH_ALL,
): (index: number, keyHash: Uint8Array, amount: bigint) => Buffer {
  const prevouts = twice(...transaction.inputs.map((input) => input.outpointBytes))
  const sequences = twice(...transaction.inputs.map((input) => u32(input.sequence)))
  const outputs = twice(...transaction.outputs.map((output) => output.bytes))
  return (index, keyHash, amount) => {
    const input = transaction.inputs[index]
    if (!input) throw new RangeError('The transaction has no such input')
    const value = Buffer.alloc(8)
    value.writeBigUInt64LE(amount)
    return twice(
      i32(transaction.version),
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
      u32(sighashType),
    )
  }
}

function twice(...parts: readonly Uint8Array[]): Buffer {
  const once = createHash('sha256')
  for (const part of parts) once.update(part)
  return createHash('sha256').update(once.digest()).digest()
}
