/** Makes ECDSA signatures in the form that nodes relay. */

import * as ecc from 'tiny-secp256k1'

/**
 * Signs with low S and low R. It tries counters as extra entropy until R's first bit is clear, exactly as
 * Bitcoin Core does (RFC 6979: the same digest always gives the same bytes).
 *
 * @returns 64 bytes, compact.
 */
export function signLowR(digest: Uint8Array, privateKey: Uint8Array): Uint8Array {
  let signature = ecc.sign(digest, privateKey)
  const extra = Buffer.alloc(32)
  for (let counter = 1; (signature[0] ?? 0) > 0x7f; counter++) {
    extra.writeUInt32LE(counter)
    signature = ecc.sign(digest, privateKey, extra)
  }
  return signature
}

/** Returns the strict DER (BIP-66) of a compact signature. */
export function encodeDer(signature: Uint8Array): Buffer {
  const body = Buffer.concat([derInteger(signature.subarray(0, 32)), derInteger(signature.subarray(32))])
  return Buffer.concat([Buffer.from([0x30, body.length]), body])
}

/** Returns the compact form of a signature. `null` unless its DER is exactly what `encodeDer` writes. */
export function decodeDer(der: Uint8Array): Uint8Array | null {
  const compact = Buffer.alloc(64)
  let at = 2
  for (const end of [32, 64]) {
    const length = der[at + 1] ?? 0
    const number = der.subarray(at + 2, at + 2 + length)
    const digits = number.subarray(number[0] === 0 ? 1 : 0)
    if (digits.length > 32) return null
    compact.set(digits, end - digits.length)
    at += 2 + length
  }
  return encodeDer(compact).equals(der) ? compact : null
}

function derInteger(bytes: Uint8Array): Buffer {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const trimmed = bytes.subarray(start)
  const padding = (trimmed[0] ?? 0) > 0x7f ? [0] : []
  return Buffer.concat([Buffer.from([0x02, trimmed.length + padding.length, ...padding]), trimmed])
}
