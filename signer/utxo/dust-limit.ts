/** Computes the least value of an output by the rule of nodes (Bitcoin Core's GetDustThreshold). */

import { compactSizeLength } from './compact-size-length.js'

/** Bytes that spend an output later, with and without the discount of a witness. */
const WITNESS_SPEND_BYTES = 67
const LEGACY_SPEND_BYTES = 148
const AMOUNT_BYTES = 8
const OP_1 = 0x51
const OP_16 = 0x60

/**
 * Returns the least value: 294 for P2WPKH, 330 for P2WSH and P2TR, 540 for P2SH and 546 for P2PKH at 3
 * sat/vB.
 */
export function dustLimit(script: Uint8Array, satPerByte: number): bigint {
  const [opcode = 0, push = 0] = script
  const isWitness = (opcode === 0 || (opcode >= OP_1 && opcode <= OP_16)) && script.length === push + 2
  const spend = isWitness ? WITNESS_SPEND_BYTES : LEGACY_SPEND_BYTES
  const bytes = AMOUNT_BYTES + compactSizeLength(script.length) + script.length + spend
  return BigInt(Math.ceil(bytes * satPerByte))
}
