/** Hashes as block and transaction ids are made. */

import { hash } from 'node:crypto'

/** Returns SHA-256 of SHA-256, from which block and transaction ids are made. */
export function doubleSha256(bytes: Uint8Array): Buffer {
  return hash('sha256', hash('sha256', bytes, 'buffer'), 'buffer')
}

/** Returns an id in the form that nodes show: hex of the hash in reversed byte order. */
export function toDisplayHex(hashBytes: Uint8Array): string {
  return Buffer.from(hashBytes).reverse().toString('hex')
}
