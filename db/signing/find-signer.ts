/** Finds an enrolled signer by its id. */

import type { Queryable } from '../connect.js'

export interface EnrolledSigner {
  readonly id: string
  readonly merchantId: string
  /** Raw 32 bytes, Ed25519. */
  readonly identityPublicKey: Uint8Array
}

/** Returns the signer. `null` when it does not exist or was revoked. */
export async function findSigner(sql: Queryable, id: string): Promise<EnrolledSigner | null> {
  const [row] = await sql<{ id: string; merchant_id: string; identity_public_key: Uint8Array }[]>`
    SELECT id, merchant_id, identity_public_key FROM signers WHERE id = ${id} AND revoked_at IS NULL`
  return row ? { id: row.id, merchantId: row.merchant_id, identityPublicKey: row.identity_public_key } : null
}
