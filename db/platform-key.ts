/** The platform's Ed25519 key, with which it signs what it sends to customers' signers; derived, so nothing to store. */

import { createPrivateKey, createPublicKey, hkdfSync, sign } from 'node:crypto'

/** DER prefix of a PKCS#8 Ed25519 private key (RFC 8410); the 32-byte seed follows. */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')
const RAW_KEY_BYTES = 32

export interface PlatformKey {
  /** Raw 32 bytes, as enrolment tokens carry it and signers pin it. */
  readonly publicKey: Buffer
  /** Ed25519 signature (64 bytes) of the message. */
  readonly sign: (message: Uint8Array) => Buffer
}

/**
 * The platform's signing key: HKDF-SHA256 of the master key, so every process of one installation agrees on it.
 *
 * @param masterKeyHex - 32 bytes in hex (`KEYTURN_MASTER_KEY`).
 */
export function platformKey(masterKeyHex: string): PlatformKey {
  const seed = Buffer.from(
    hkdfSync('sha256', Buffer.from(masterKeyHex, 'hex'), '', 'keyturn platform ed25519 v1', 32),
  )
  const privateKey = createPrivateKey({
    key: Buffer.concat([PKCS8_ED25519, seed]),
    format: 'der',
    type: 'pkcs8',
  })
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  return {
    publicKey: spki.subarray(spki.length - RAW_KEY_BYTES),
    sign: (message) => sign(null, message, privateKey),
  }
}
