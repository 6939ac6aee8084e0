/** Creates an API key. Its secret is shown once and stored sealed. */

import { randomBytes } from 'node:crypto'
import ipaddr from 'ipaddr.js'
import { sealSecret } from '../../vault/seal-secret.js'
import { appendAudit } from '../audit/append-audit.js'
import { inTransaction, type Sql, type Transaction } from '../connect.js'
import { newId } from '../new-id.js'

/** Requests that a key may make in a minute. */
export const DEFAULT_RATE = 6_000

export interface NewApiKey {
  readonly merchantId: string
  /** Person who uses the key. Absent for a merchant's backend. */
  readonly personId?: string
  readonly name: string
  /** Scopes: `read`, `payments`, `withdrawals`, `approvals`, `webhooks`, `policy`, `reconciliation`, `admin`. */
  readonly scopes: readonly string[]
  /** CIDRs or addresses from which mutating requests may come. An empty list allows none. */
  readonly ipAllowlist: readonly string[]
  /** Requests allowed a minute. Default 6,000. */
  readonly rateLimitPerMinute?: number
  /** Actor for the audit log. Default `system:operator`. */
  readonly actor?: string
}

/**
 * Creates a key.
 *
 * @param masterKeyHex - `KEYTURN_MASTER_KEY`.
 * @returns The public id (`key_…`, sent as `X-Api-Key`) and the secret, whose UTF-8 bytes are the HMAC key.
 * @throws Error if an allowlist entry is neither an address nor a CIDR.
 */
export async function createApiKey(
  sql: Sql,
  masterKeyHex: string,
  key: NewApiKey,
): Promise<{ readonly id: string; readonly secret: string }> {
  return inTransaction(sql, (tx) => insertApiKey(tx, masterKeyHex, key))
}

/** As `createApiKey`, in a transaction of the caller. */
export async function insertApiKey(
  tx: Transaction,
  masterKeyHex: string,
  key: NewApiKey,
): Promise<{ readonly id: string; readonly secret: string }> {
  for (const entry of key.ipAllowlist) {
    if (!ipaddr.isValidCIDR(entry) && !ipaddr.isValid(entry)) {
      throw new Error(`"${entry}" is neither an IP address nor a CIDR`)
    }
  }
  const id = newId('key')
  const secret = newApiSecret()
  await tx`
    INSERT INTO api_keys (id, public_id, merchant_id, person_id, name, secret_sealed, scopes, ip_allowlist,
                          rate_limit_per_minute)
    VALUES (${id}, ${id}, ${key.merchantId}, ${key.personId ?? null}, ${key.name},
            ${sealSecret(masterKeyHex, Buffer.from(secret), { table: 'api_keys', key: [id] })}, ${[...key.scopes]}, ${[...key.ipAllowlist]},
            ${key.rateLimitPerMinute ?? DEFAULT_RATE})`
  await appendAudit(tx, {
    merchantId: key.merchantId,
    actor: key.actor ?? 'system:operator',
    action: 'api_key.created',
    subject: id,
    data: {
      name: key.name,
      person: key.personId ?? null,
      scopes: key.scopes,
      ip_allowlist: key.ipAllowlist,
    },
  })
  return { id, secret }
}

/** Returns a new secret of an API key. */
export function newApiSecret(): string {
  return `kts_${randomBytes(32).toString('base64url')}`
}
