/** Protects signers' requests against replay. */

import type { Queryable } from '../connect.js'

/**
 * Claims a nonce for an identity. Returns `false` if it was used before within the time window.
 *
 * @param enrolled - Whether the identity must be an enrolled signer's that was not revoked. If it is not, the
 * nonce is not claimed either.
 */
export async function claimSignerNonce(
  sql: Queryable,
  identity: Uint8Array,
  nonce: string,
  expiresAt: Date,
  enrolled = false,
): Promise<boolean> {
  const key = Buffer.from(identity)
  const taken = await sql`
    INSERT INTO signer_nonces (identity, nonce, expires_at)
    SELECT ${key}, ${nonce}, ${expiresAt}::timestamptz
    WHERE NOT ${enrolled}::boolean
       OR EXISTS (SELECT FROM signers WHERE identity_public_key = ${key} AND revoked_at IS NULL)
    ON CONFLICT DO NOTHING RETURNING nonce`
  return taken.length > 0
}
