/** Creates the one-time token with which a customer's signer enrols. */

import { randomBytes } from 'node:crypto'
import { appendAudit } from '../audit/append-audit.js'
import { inTransaction, type Sql } from '../connect.js'
import { loadPlatformKey } from '../signing/platform-key.js'
import { enrolmentTokenHash } from './enrolment-token-hash.js'

const DEFAULT_TTL_MS = 24 * 3_600_000

/**
 * Creates a token. It carries the platform's public key, so that the signer pins the key that came with the
 * token.
 *
 * @param masterKeyHex - `KEYTURN_MASTER_KEY`.
 * @returns `ket_<random>.<base64url of the platform's 32-byte Ed25519 key>`. Only its hash is stored.
 */
export async function createEnrolmentToken(
  sql: Sql,
  masterKeyHex: string,
  request: { readonly merchantId: string; readonly ttlMs?: number; readonly actor?: string },
): Promise<{ readonly token: string; readonly expiresAt: Date }> {
  const { publicKey } = await loadPlatformKey(sql, [masterKeyHex])
  const token = `ket_${randomBytes(24).toString('base64url')}.${publicKey.toString('base64url')}`
  const expiresAt = new Date(Date.now() + (request.ttlMs ?? DEFAULT_TTL_MS))
  await inTransaction(sql, async (tx) => {
    await tx`
      INSERT INTO enrolment_tokens (token_hash, merchant_id, expires_at)
      VALUES (${enrolmentTokenHash(token)}, ${request.merchantId}, ${expiresAt})`
    await appendAudit(tx, {
      merchantId: request.merchantId,
      actor: request.actor ?? 'system:operator',
      action: 'enrolment_token.created',
      subject: request.merchantId,
      data: { expires_at: expiresAt.toISOString() },
    })
  })
  return { token, expiresAt }
}
