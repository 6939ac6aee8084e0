/** Computes EIP-55, the checksum that an Ethereum address carries in the case of its letters. */

import { keccak_256 } from '@noble/hashes/sha3.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'

/** Returns `0x…` in the case of the checksum. @param payee - Lower-case hex of the 20 bytes. */
export function checksumAddress(payee: string): string {
  const hash = bytesToHex(keccak_256(utf8ToBytes(payee)))
  let address = '0x'
  for (let i = 0; i < payee.length; i++) {
    const digit = payee.charAt(i)
    address += hash.charCodeAt(i) >= 0x38 ? digit.toUpperCase() : digit
  }
  return address
}
