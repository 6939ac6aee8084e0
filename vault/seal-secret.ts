/**
 * Secrets at rest: AES-256-GCM under a key that is derived from a master key. What is sealed carries the id of that key, and is
 * bound to its row, so that a secret copied into another row does not open there.
 */

import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'

/** The row that a secret belongs to. */
export interface SealedRow {
  readonly table: 'api_keys' | 'webhook_endpoints' | 'idempotency_keys' | 'platform_keys'
  /** The row's key, its parts in order. */
  readonly key: readonly string[]
}

/** Bytes that no nonce of an earlier format is likely to begin with: the format's name and version. */
const FORMAT = Buffer.from('KTS2', 'latin1')
const KEY_ID_BYTES = 8
const NONCE_BYTES = 12
const TAG_BYTES = 16
const HEAD_BYTES = FORMAT.length + KEY_ID_BYTES

interface SealingKey {
  readonly id: Buffer
  readonly key: Buffer
}

/** Deriving costs a few microseconds; a process has few master keys. */
const known = new Map<string, SealingKey>()

/**
 * Seals a secret (an API secret, a webhook secret, an answer that shows one).
 *
 * @param masterKeyHex - 32 bytes in hex (`KEYTURN_MASTER_KEY`).
 * @returns The format, the key's id (8 bytes), a random nonce (12), ciphertext, tag (16).
 */
export function sealSecret(masterKeyHex: string, plaintext: Uint8Array, row: SealedRow): Buffer {
  const { id, key } = sealingKey(masterKeyHex)
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(boundTo(row))
  return Buffer.concat([FORMAT, id, nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/**
 * Opens what `sealSecret` made for this very row.
 *
 * @param masterKeys - Those that this process has (`masterKeysOf`); the sealed secret says which one it needs.
 * @throws Error when none of them is that one, or when the secret was changed or belongs to another row.
 */
export function openSecret(masterKeys: readonly string[], sealed: Uint8Array, row: SealedRow): Buffer {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
  if (!isBound(bytes)) throw new Error(`The sealed secret of ${row.table} is not bound to its row`)
  const id = bytes.subarray(FORMAT.length, HEAD_BYTES)
  const found = masterKeys.map(sealingKey).find((each) => each.id.equals(id))
  if (!found) {
    throw new Error(
      `A secret of ${row.table} is sealed under the master key ${id.toString('hex')}, which this process does not have; give it as KEYTURN_MASTER_KEY, KEYTURN_NEXT_MASTER_KEY or among KEYTURN_PREVIOUS_MASTER_KEYS`,
    )
  }
  try {
    return decrypt(found.key, bytes.subarray(HEAD_BYTES), boundTo(row))
  } catch (cause) {
    throw new Error(`A sealed secret of ${row.table} was changed or belongs to another row`, { cause })
  }
}

/** Opens what was sealed before secrets were bound to rows, in order to bind it. @throws Error when no key opens it. */
export function openUnbound(masterKeys: readonly string[], sealed: Uint8Array): Buffer {
  for (const masterKey of masterKeys) {
    try {
      return decrypt(sealingKey(masterKey).key, Buffer.from(sealed), null)
    } catch {
      // Another key, or none.
    }
  }
  throw new Error('A sealed secret opens with none of the master keys that this process has')
}

/** Whether it is in the format that is bound to a row. */
export function isBound(sealed: Uint8Array): boolean {
  return (
    sealed.length >= HEAD_BYTES + NONCE_BYTES + TAG_BYTES &&
    FORMAT.equals(Buffer.from(sealed).subarray(0, FORMAT.length))
  )
}

/** The first bytes of everything that is sealed under a master key: format and key id. */
export function sealedHead(masterKeyHex: string): Buffer {
  return Buffer.concat([FORMAT, sealingKey(masterKeyHex).id])
}

function decrypt(key: Buffer, bytes: Buffer, aad: Buffer | null): Buffer {
  if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new Error('The sealed secret is too short')
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES))
  if (aad) decipher.setAAD(aad)
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
  return Buffer.concat([
    decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES)),
    decipher.final(),
  ])
}

function boundTo({ table, key }: SealedRow): Buffer {
  return Buffer.from(JSON.stringify(['keyturn sealed v2', table, ...key]), 'utf8')
}

function sealingKey(masterKeyHex: string): SealingKey {
  const found = known.get(masterKeyHex)
  if (found) return found
  const key = Buffer.from(hkdfSync('sha256', Buffer.from(masterKeyHex, 'hex'), '', 'keyturn sealing v1', 32))
  const id = createHash('sha256')
    .update('keyturn sealing key id\n')
    .update(key)
    .digest()
    .subarray(0, KEY_ID_BYTES)
  const made = { id, key }
  known.set(masterKeyHex, made)
  return made
}
