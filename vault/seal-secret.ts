/**
 * Seals secrets at rest with AES-256-GCM, under a key that is derived from a master key. A sealed secret
 * carries the id of its key and is bound to its row, so that a secret copied into another row does not open
 * there.
 */

import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'

/** Row that a secret belongs to. */
export interface SealedRow {
  readonly table:
    | 'api_keys'
    | 'previous_api_keys'
    | 'webhook_endpoints'
    | 'idempotency_keys'
    | 'platform_keys'
  /** Parts of the row's primary key, in order. */
  readonly key: readonly string[]
}

/** Name and version of the format. A nonce of the earlier format is unlikely to begin with these bytes. */
const FORMAT = Buffer.from('KTS2', 'latin1')
const KEY_ID_BYTES = 8
const NONCE_BYTES = 12
const TAG_BYTES = 16
const HEAD_BYTES = FORMAT.length + KEY_ID_BYTES

interface SealingKey {
  readonly id: Buffer
  readonly key: Buffer
}

/** Derived keys by master key. A derivation costs a few microseconds, and a process has few master keys. */
const known = new Map<string, SealingKey>()

/**
 * Seals a secret: an API secret, a webhook secret, or a stored answer that shows one.
 *
 * @param masterKeyHex - 32 bytes in hex (`KEYTURN_MASTER_KEY`).
 * @returns The format, the key's id (8 bytes), a random nonce (12 bytes), the ciphertext and the tag (16
 * bytes).
 */
export function sealSecret(masterKeyHex: string, plaintext: Uint8Array, row: SealedRow): Buffer {
  const { id, key } = sealingKey(masterKeyHex)
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(boundTo(row))
  return Buffer.concat([FORMAT, id, nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/**
 * Opens a secret that `sealSecret` sealed for this row.
 *
 * @param masterKeys - Master keys of this process (`masterKeysOf`). The sealed secret names the one that it
 * needs.
 * @throws Error if that key is missing, or if the secret was changed or belongs to another row.
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

/**
 * Opens a secret of the earlier format, which bound no row, so that it can be bound.
 *
 * @throws Error if no key opens it.
 */
export function openUnbound(masterKeys: readonly string[], sealed: Uint8Array): Buffer {
  for (const masterKey of masterKeys) {
    try {
      return decrypt(sealingKey(masterKey).key, Buffer.from(sealed), null)
    } catch {
      // This master key does not open it. Try the next one.
    }
  }
  throw new Error('A sealed secret opens with none of the master keys that this process has')
}

/** Returns whether a sealed secret has the format that is bound to a row. */
export function isBound(sealed: Uint8Array): boolean {
  return (
    sealed.length >= HEAD_BYTES + NONCE_BYTES + TAG_BYTES &&
    FORMAT.equals(Buffer.from(sealed).subarray(0, FORMAT.length))
  )
}

/** Returns the first bytes of every secret sealed under a master key: the format and the key's id. */
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
