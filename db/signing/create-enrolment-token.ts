/** Makes the one-time token with which a customer's signer enrols; only its hash is kept. */

import { createHash, randomBytes } from 'node:crypto'
import { appendAudit } from '../audit/append-audit.js'
import type { Sql } from '../connect.js'

/** Long enough to carry it to the customer's machine on the same day. */
const DEFAULT_LIFE_MS = 24 * 3_600_000

/** How a token is stored and compared. */
export function enrolmentTokenHash(token: string): Buffer {
  return createHash('sha256').update(`keyturn-enrolment-v1\n${token}`).digest()
}

/**
 * Makes a token for a merchant.
 *
 * @param options.actor - For the audit log, e.g. `system:setup`.
 * @returns The token; it is shown this once.
 */
export async function createEnrolmentToken(
  sql: Sql,
  merchantId: string,
  options: { readonly lifeMs?: number; readonly actor?: string } = {},
): Promise<string> {
  const token = `enrol_${randomBytes(32).toString('base64url')}`
  const expiresAt = new Date(Date.now() + (options.lifeMs ?? DEFAULT_LIFE_MS))
  await sql.begin(async (tx) => {
    await tx`
      INSERT INTO enrolment_tokens (token_hash, merchant_id, expires_at)
      VALUES (${enrolmentTokenHash(token)}, ${merchantId}, ${expiresAt})`
    await appendAudit(tx, {
      merchantId,
      actor: options.actor ?? 'system:setup',
      action: 'enrolment_token.created',
      subject: merchantId,
      data: { expires_at: expiresAt.toISOString() },
    })
  })
  return token
}
