/** Computes weights (BIP-141), fees and dust, so that a fee is known before anything is signed. */

import type { UtxoNetwork } from '../../../domain/chain/network.js'

/**
 * Weight of an input as the signer leaves it, divisible by 4, so that inputs add up in whole vB. P2WPKH: 41
 * bytes × 4 and a witness of count, a signature of at most 72 bytes (71 if R is low) and a 33-byte key.
 * P2PKH: the same inside scriptSig.
 */
export const INPUT_WEIGHT: Readonly<Record<UtxoNetwork['script'], number>> = { p2wpkh: 272, p2pkh: 592 }

/**
 * Bytes that spend an output later, as Bitcoin Core's GetDustThreshold counts them: with and without witness
 * discount.
 */
const SPEND_VBYTES = { witness: 67, legacy: 148 } as const

/** Bitcoin Core's dust relay rate in sat/vB. Networks that differ have their own in the configuration. */
const DEFAULT_DUST_RATE = 3

/** Returns the bytes of a CompactSize. */
export function compactSizeLength(count: number): number {
  return count < 0xfd ? 1 : count <= 0xffff ? 3 : 5
}

/** Returns the weight of an output. */
export function outputWeight(script: Uint8Array): number {
  return 4 * (8 + compactSizeLength(script.length) + script.length)
}

/**
 * Returns the weight of everything but inputs and outputs: version, locktime, two counts (at most 252
 * inputs), and the SegWit marker.
 *
 * @param outputs - Number of outputs, change included.
 */
export function frameWeight(outputs: number, script: UtxoNetwork['script']): number {
  return 4 * (4 + 4 + 1 + compactSizeLength(outputs)) + (script === 'p2wpkh' ? 2 : 0)
}

/** Returns the virtual bytes of a weight. */
export function toVsize(weight: number): number {
  return Math.ceil(weight / 4)
}

/**
 * Returns the fee in base units of a weight at a rate in sat/vB, rounded up. The rate counts to a thousandth.
 */
export function feeForWeight(weight: number, feeRate: number): bigint {
  const perThousand = BigInt(Math.ceil(Math.round(feeRate * 1e6) / 1e3))
  return (BigInt(toVsize(weight)) * perThousand + 999n) / 1_000n
}

/**
 * Returns the amount below which an output is not relayed: 294 for P2WPKH and 546 for P2PKH at Bitcoin's dust
 * rate.
 */
export function dustThreshold(script: Uint8Array, network: UtxoNetwork): bigint {
  const [opcode = 0, push = 0] = script
  const isWitness = (opcode === 0 || (opcode > 0x50 && opcode <= 0x60)) && script.length === push + 2
  const vbytes = outputWeight(script) / 4 + (isWitness ? SPEND_VBYTES.witness : SPEND_VBYTES.legacy)
  return BigInt(Math.ceil(vbytes * (network.fees.dustRate ?? DEFAULT_DUST_RATE)))
}
