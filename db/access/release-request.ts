/** Releases the idempotency key of a request whose failure is not stored, so that it can be sent again at once. */

import type { Sql } from '../connect.js'

/** Deletes the key if this owner still holds it and it has no answer. */
export async function releaseRequest(
  sql: Sql,
  request: { readonly merchantId: string; readonly key: string; readonly owner: string },
): Promise<void> {
  await sql`
    DELETE FROM idempotency_keys
    WHERE merchant_id = ${request.merchantId} AND key = ${request.key} AND owner = ${request.owner} AND status_code IS NULL`
}
