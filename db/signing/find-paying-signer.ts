/** Finds the signer that pays for a merchant on a network. */

import type { PendingQuery, Row } from 'postgres'
import type { Queryable } from '../connect.js'

/**
 * Returns the id of the one signer that holds the merchant's keys of the network. `null` when there is none,
 * or it was revoked.
 */
export async function findPayingSigner(
  sql: Queryable,
  merchantId: string,
  network: string,
): Promise<string | null> {
  const [signer] = await sql<{ id: string }[]>`${payingSigner(sql, merchantId, network)}`
  return signer?.id ?? null
}

/** Returns the query that finds it, for a statement that also reads something else. */
export function payingSigner(sql: Queryable, merchantId: string, network: string): PendingQuery<Row[]> {
  return sql`
    SELECT signer.id FROM key_accounts account JOIN signers signer ON signer.id = account.signer_id
    WHERE account.merchant_id = ${merchantId} AND account.network = ${network} AND signer.revoked_at IS NULL LIMIT 1`
}
