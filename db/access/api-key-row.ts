/** Reads, lists and revokes API keys, without their secrets. */

import { KeyturnError } from '../../domain/errors.js'
import { appendAudit } from '../audit/append-audit.js'
import type { Queryable, Transaction } from '../connect.js'
import type { Slice } from '../slice.js'

export interface ApiKeyRow {
  readonly id: string
  readonly public_id: string
  readonly person_id: string | null
  readonly name: string
  readonly scopes: readonly string[]
  readonly ip_allowlist: readonly string[]
  readonly created_at: Date
  readonly last_used_at: Date | null
  /** Public ids that rotations replaced and that are still valid, with the end of each in milliseconds. */
  readonly previous: readonly { readonly api_key: string; readonly expires_at: number }[]
}

/** Lists the keys of a merchant that are not revoked, newest first. @param id - Only this one. */
export async function listApiKeys(
  sql: Queryable,
  merchantId: string,
  slice: Slice,
  id?: string,
): Promise<ApiKeyRow[]> {
  return sql<ApiKeyRow[]>`
    SELECT key.id, key.public_id, key.person_id, key.name, key.scopes, key.ip_allowlist, key.created_at, key.last_used_at,
           coalesce(replaced.list, '[]') AS previous
    FROM api_keys key
    LEFT JOIN LATERAL (
      SELECT jsonb_agg(jsonb_build_object('api_key', public_id,
               'expires_at', (extract(epoch FROM expires_at) * 1000)::bigint) ORDER BY expires_at DESC) AS list
      FROM previous_api_keys WHERE api_key_id = key.id AND expires_at > clock_timestamp()
    ) replaced ON true
    WHERE key.merchant_id = ${merchantId} AND key.revoked_at IS NULL
      ${id === undefined ? sql`` : sql`AND key.id = ${id}`}
      ${slice.before === null ? sql`` : sql`AND key.id < ${slice.before}`}
    ORDER BY key.id DESC OFFSET ${slice.offset} LIMIT ${slice.take}`
}

/** Returns one of these keys. @throws KeyturnError `NOT_FOUND`. */
export async function readApiKey(sql: Queryable, merchantId: string, id: string): Promise<ApiKeyRow> {
  const [row] = await listApiKeys(sql, merchantId, { before: null, offset: 0, take: 1 }, id)
  if (!row) throw keyNotFound(id)
  return row
}

/** Locks a key that is not revoked. @throws KeyturnError `NOT_FOUND`. */
export async function lockApiKey(
  tx: Transaction,
  merchantId: string,
  id: string,
): Promise<{
  readonly public_id: string
  readonly secret_sealed: Buffer
  readonly scopes: readonly string[]
}> {
  const [row] = await tx<{ public_id: string; secret_sealed: Buffer; scopes: string[] }[]>`
    SELECT public_id, secret_sealed, scopes FROM api_keys
    WHERE id = ${id} AND merchant_id = ${merchantId} AND revoked_at IS NULL FOR UPDATE`
  if (!row) throw keyNotFound(id)
  return row
}

/** Most keys of a merchant. Each has its own rate, so that their number bounds what a merchant may send. */
const MOST_KEYS = 100

/** Refuses another key beyond the most. @throws KeyturnError `INVALID_STATE`. */
export async function requireRoomForKey(tx: Transaction, merchantId: string): Promise<void> {
  // One after the other, so that two requests do not take the same last place.
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${`api keys of ${merchantId}`}, 0))`
  const [row] = await tx<{ count: number }[]>`
    SELECT count(*)::int AS count FROM api_keys WHERE merchant_id = ${merchantId} AND revoked_at IS NULL`
  if ((row?.count ?? 0) < MOST_KEYS) return
  throw new KeyturnError('INVALID_STATE', `You have ${MOST_KEYS} API keys. Revoke those that are not used`)
}

/** Revokes a key with all its public ids, at once in every process. @throws KeyturnError `NOT_FOUND`. */
export async function revokeApiKey(
  tx: Transaction,
  { merchantId, id, actor }: { readonly merchantId: string; readonly id: string; readonly actor: string },
): Promise<void> {
  await lockApiKey(tx, merchantId, id)
  await tx`UPDATE api_keys SET revoked_at = clock_timestamp() WHERE id = ${id}`
  await appendAudit(tx, { merchantId, actor, action: 'api_key.revoked', subject: id, data: {} })
}

function keyNotFound(id: string): KeyturnError {
  return new KeyturnError('NOT_FOUND', 'There is no such API key. Check the id', { details: { id } })
}
