/** Replay protection of signers' requests. */

import type { Queryable } from '../connect.js'

/** Takes a nonce for an identity; false when it was used before inside the time window. */
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
