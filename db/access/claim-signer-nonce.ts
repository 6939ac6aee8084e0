/** Protects signers' requests against replay. */

import type { Queryable } from '../connect.js'

/** Claims a nonce for an identity. Returns `false` if it was used before within the time window. */
export async function claimSignerNonce(
  sql: Queryable,
  identity: Uint8Array,
  nonce: string,
  expiresAt: Date,
): Promise<boolean> {
  const taken = await sql`
    INSERT INTO signer_nonces (identity, nonce, expires_at) VALUES (${Buffer.from(identity)}, ${nonce}, ${expiresAt})
    ON CONFLICT DO NOTHING RETURNING nonce`
  return taken.length > 0
}
