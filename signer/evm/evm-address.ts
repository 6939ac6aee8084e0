/** Computes the EVM address of a key. */

import { keccak_256 } from '@noble/hashes/sha3.js'
import * as ecc from 'tiny-secp256k1'

/** Addresses by key object. Wallets pay often, and decompressing a key costs as much as half a signature. */
const known = new WeakMap<Uint8Array, string>()

/**
 * Returns the lower-case `0x…` address of a compressed public key. The hash is over the 64 bytes of the
 * decompressed key.
 */
export function evmAddress(publicKey: Uint8Array): string {
  const before = known.get(publicKey)
  if (before) return before
  const uncompressed = ecc.pointCompress(publicKey, false)
  const address = `0x${Buffer.from(keccak_256(uncompressed.subarray(1)))
    .subarray(12)
    .toString('hex')}`
  known.set(publicKey, address)
  return address
}
