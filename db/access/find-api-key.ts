/** Finds the API key behind an id and opens its secret. */

import { openSecret } from '../../vault/seal-secret.js'
import type { Sql } from '../connect.js'

export interface ApiKey {
  readonly id: string
  readonly merchantId: string
  readonly personId: string | null
  readonly secret: Buffer
  readonly scopes: readonly string[]
  readonly ipAllowlist: readonly string[]
  readonly rateLimitPerMinute: number
}

/** Returns the key. `null` if there is none, it is revoked, or its merchant is not active. */
export async function findApiKey(
  sql: Sql,
  masterKeys: readonly string[],
  id: string,
): Promise<ApiKey | null> {
  const [row] = await sql<
    {
      merchant_id: string
      person_id: string | null
      secret_sealed: Buffer
      scopes: string[]
      ip_allowlist: string[]
      rate_limit_per_minute: number
    }[]
  >`
    SELECT key.merchant_id, key.person_id, key.secret_sealed, key.scopes, key.ip_allowlist, key.rate_limit_per_minute
    FROM api_keys key JOIN merchants merchant ON merchant.id = key.merchant_id
    WHERE key.id = ${id} AND key.revoked_at IS NULL AND merchant.status = 'active'`
  if (!row) return null
  return {
    id,
    merchantId: row.merchant_id,
    personId: row.person_id,
    secret: openSecret(masterKeys, row.secret_sealed, { table: 'api_keys', key: [id] }),
    scopes: row.scopes,
    ipAllowlist: row.ip_allowlist,
    rateLimitPerMinute: row.rate_limit_per_minute,
  }
}
