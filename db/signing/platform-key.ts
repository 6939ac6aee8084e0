/**
 * The platform's Ed25519 key, with which it signs what it sends to customers' signers; sealed in the
 * database.
 */

import { createPrivateKey, createPublicKey, hkdfSync, sign } from 'node:crypto'
import { openSecret, type SealedRow, sealSecret } from '../../vault/seal-secret.js'
import type { Queryable } from '../connect.js'

/** DER prefix of a PKCS#8 Ed25519 private key (RFC 8410); the 32-byte seed follows. */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')
const RAW_KEY_BYTES = 32

/** The one row of `platform_keys`, as its seed is bound to it. */
export const PLATFORM_ROW: SealedRow = { table: 'platform_keys', key: ['platform'] }

export interface PlatformKey {
  /** Raw 32 bytes, as enrolment tokens carry it and signers pin it. */
  readonly publicKey: Buffer
  /** Ed25519 signature (64 bytes) of the message. */
  readonly sign: (message: Uint8Array) => Buffer
}

/**
 * Reads the platform's signing key. The first process of an installation stores it, derived from the oldest
 * master key by HKDF-SHA256, as every process did before it was stored; it stays the same when the master key
 * changes, because signers pin it.
 *
 * @param masterKeys - Those that open, the sealing one first.
 * @param oldest - From which it is derived where it is not stored yet; default the sealing one.
 */
export async function loadPlatformKey(
  sql: Queryable,
  masterKeys: readonly [string, ...string[]],
  oldest: string = masterKeys[0],
): Promise<PlatformKey> {
  const seed = await readSeed(sql, masterKeys)
  if (seed) return keyOf(seed)
  const derived = Buffer.from(
    hkdfSync('sha256', Buffer.from(oldest, 'hex'), '', 'keyturn platform ed25519 v1', RAW_KEY_BYTES),
  )
  await sql`
    INSERT INTO platform_keys (id, seed_sealed) VALUES ('platform', ${sealSecret(masterKeys[0], derived, PLATFORM_ROW)})
    ON CONFLICT DO NOTHING`
  const stored = await readSeed(sql, masterKeys)
  if (!stored) throw new Error('The platform key was not stored')
  return keyOf(stored)
}

async function readSeed(sql: Queryable, masterKeys: readonly string[]): Promise<Buffer | null> {
  const [row] = await sql<{ seed_sealed: Buffer }[]>`SELECT seed_sealed FROM platform_keys`
  return row ? openSecret(masterKeys, row.seed_sealed, PLATFORM_ROW) : null
}

function keyOf(seed: Buffer): PlatformKey {
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
