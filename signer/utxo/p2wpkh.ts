/** Makes P2WPKH scripts (BIP-141). */

/** Returns the script that pays to the key with this HASH160. */
export function p2wpkhScript(keyHash: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0x00, 0x14]), keyHash])
}

/** Returns whether two scripts are the same bytes. */
export function sameScript(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
