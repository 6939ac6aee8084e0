/** Computes the 20 bytes of an EVM address from its public key. */

import { keccak_256 } from '@noble/hashes/sha3.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { pointCompress } from 'tiny-secp256k1'

/**
 * Returns the 20 bytes of a key's EVM address as lower-case hex. They are a hash of the uncompressed key: a
 * compressed one would give a valid-looking address that no key owns.
 *
 * @param publicKey - Compressed, 33 bytes.
 */
export function evmPayee(publicKey: Uint8Array): string {
  return bytesToHex(keccak_256(pointCompress(publicKey, false).subarray(1)).subarray(12))
}
