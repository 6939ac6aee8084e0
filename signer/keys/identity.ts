/** Opens the signer's Ed25519 identity, with which it signs its calls to the platform. */

import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { refuseEd25519Point } from '../../domain/signing/refuse-ed25519-key.js'

/** DER of a PKCS #8 Ed25519 key before its 32 bytes (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

export interface Identity {
  /** Base64 of the raw 32-byte public key. */
  readonly publicKey: string
  /** Returns the base64 signature of a text's UTF-8 bytes. */
  sign(text: string): string
}

/** Opens an identity. @param seed - Raw 32 bytes. */
export function openIdentity(seed: Uint8Array): Identity {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  return {
    publicKey: Buffer.from(x ?? '', 'base64url').toString('base64'),
    sign: (text) => sign(null, Buffer.from(text), key).toString('base64'),
  }
}

/**
 * Reads a raw Ed25519 public key in base64.
 *
 * @throws RangeError when it is not 32 bytes, not canonical or of small order.
 */
export function ed25519PublicKey(base64: string): KeyObject {
  const bytes = Buffer.from(base64, 'base64')
  const reason =
    bytes.toString('base64') === base64 ? refuseEd25519Point(bytes) : 'is not written canonically'
  if (reason !== null) throw new RangeError(`The Ed25519 public key ${reason}`)
  return createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: bytes.toString('base64url') },
    format: 'jwk',
  })
}
