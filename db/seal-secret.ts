/** Secrets at rest: AES-256-GCM under a key that is derived from the platform's master key. */

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

const NONCE_BYTES = 12
const TAG_BYTES = 16
/** Deriving costs a few microseconds; a process has one master key. */
const keys = new Map<string, Buffer>()

/**
 * Seals a secret (an API secret, a webhook secret).
 *
 * @param masterKeyHex - 32 bytes in hex (`KEYTURN_MASTER_KEY`).
 * @returns 12-byte random nonce, ciphertext, 16-byte tag.
 */
export function sealSecret(masterKeyHex: string, plaintext: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', sealingKey(masterKeyHex), nonce)
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** Opens what `sealSecret` made. @throws Error when it was made under another master key or was changed. */
export function openSecret(masterKeyHex: string, sealed: Uint8Array): Buffer {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new Error('The sealed secret is too short')
  const decipher = createDecipheriv('aes-256-gcm', sealingKey(masterKeyHex), sealed.subarray(0, NONCE_BYTES))
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
  return Buffer.concat([
    decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES)),
    decipher.final(),
  ])
}

function sealingKey(masterKeyHex: string): Buffer {
  const known = keys.get(masterKeyHex)
  if (known) return known
  const key = Buffer.from(hkdfSync('sha256', Buffer.from(masterKeyHex, 'hex'), '', 'keyturn sealing v1', 32))
  keys.set(masterKeyHex, key)
  return key
}
