/** Finds the API key behind a public id and opens its secret. */

import { openSecret } from '../../vault/seal-secret.js'
import type { Sql } from '../connect.js'

export interface ApiKey {
  /** Id, which stays when the key is rotated. */
  readonly id: string
  /** Public id by which it was found. */
  readonly publicId: string
  readonly merchantId: string
  readonly personId: string | null
  readonly secret: Buffer
  readonly scopes: readonly string[]
  readonly ipAllowlist: readonly string[]
  readonly rateLimitPerMinute: number
  /** End of a public id that was replaced. `null` for the present one. */
  readonly expiresAt: Date | null
}

/**
 * Returns the key. `null` if there is none, it is revoked, its merchant has no access yet, or the public id was
 * replaced and its time is over.
 */
export async function findApiKey(
  sql: Sql,
  masterKeys: readonly string[],
  publicId: string,
): Promise<ApiKey | null> {
  const [row] = await sql<
    {
      id: string
      merchant_id: string
      person_id: string | null
      secret_sealed: Buffer
      scopes: string[]
      ip_allowlist: string[]
      rate_limit_per_minute: number
      expires_at: Date | null
    }[]
  >`
    SELECT key.id, key.merchant_id, key.person_id, named.secret_sealed, key.scopes, key.ip_allowlist,
           key.rate_limit_per_minute, named.expires_at
    FROM (
      SELECT id AS api_key_id, secret_sealed, NULL::timestamptz AS expires_at FROM api_keys
      WHERE public_id = ${publicId}
      UNION ALL
      SELECT api_key_id, secret_sealed, expires_at FROM previous_api_keys
      WHERE public_id = ${publicId} AND expires_at > clock_timestamp()
    ) named
    JOIN api_keys key ON key.id = named.api_key_id
    JOIN merchants merchant ON merchant.id = key.merchant_id
    WHERE key.revoked_at IS NULL AND merchant.status IN ('active', 'suspended')`
  if (!row) return null
  const sealedFor =
    row.expires_at === null
      ? ({ table: 'api_keys', key: [row.id] } as const)
      : ({ table: 'previous_api_keys', key: [publicId] } as const)
  return {
    id: row.id,
    publicId,
    merchantId: row.merchant_id,
    personId: row.person_id,
    secret: openSecret(masterKeys, row.secret_sealed, sealedFor),
    scopes: row.scopes,
    ipAllowlist: row.ip_allowlist,
    rateLimitPerMinute: row.rate_limit_per_minute,
    expiresAt: row.expires_at,
  }
}
