/** Claims an idempotency key for a request, or returns the outcome of the request that holds it. */

import type { Sql } from '../connect.js'

export interface RequestKey {
  readonly merchantId: string
  readonly key: string
  /** SHA-256 over the id of the API key, method, path and raw body. */
  readonly requestHash: Buffer
  /** Fresh UUID of this request. Only its holder may store the answer. */
  readonly owner: string
  /** Milliseconds for which the first answer is kept. */
  readonly windowMs: number
  /** Milliseconds after which a request without an answer counts as dead. */
  readonly leaseMs: number
}

export type BegunRequest =
  | { readonly kind: 'first' }
  | { readonly kind: 'answered'; readonly statusCode: number; readonly response: Buffer }
  | { readonly kind: 'in_progress' }
  | { readonly kind: 'conflict' }

/**
 * Claims the key. One statement decides, so exactly one of several concurrent requests is `first`. A key
 * becomes free when its window is over. It also becomes free for the same request if its owner died without
 * an answer.
 */
export async function beginRequest(sql: Sql, request: RequestKey): Promise<BegunRequest> {
  const { merchantId, key, requestHash, owner } = request
  const taken = await sql`
    INSERT INTO idempotency_keys AS known (merchant_id, key, request_hash, owner, locked_until)
    VALUES (${merchantId}, ${key}, ${requestHash}, ${owner}, clock_timestamp() + ${request.leaseMs} * interval '1 millisecond')
    ON CONFLICT (merchant_id, key) DO UPDATE
      SET request_hash = EXCLUDED.request_hash, owner = EXCLUDED.owner, locked_until = EXCLUDED.locked_until,
          status_code = NULL, response = NULL, created_at = EXCLUDED.created_at
      WHERE (known.created_at < now() - ${request.windowMs} * interval '1 millisecond'
             AND (known.status_code IS NOT NULL OR known.locked_until < now()))
         OR (known.status_code IS NULL AND known.locked_until < now() AND known.request_hash = EXCLUDED.request_hash)
    RETURNING 1`
  if (taken.length === 1) return { kind: 'first' }
  const [known] = await sql<
    { request_hash: Buffer; status_code: number | null; response: Buffer | null }[]
  >`SELECT request_hash, status_code, response FROM idempotency_keys WHERE merchant_id = ${merchantId} AND key = ${key}`
  // The key was released between the two statements: the first request failed in a way that is not stored.
  if (!known) return { kind: 'in_progress' }
  if (!known.request_hash.equals(requestHash)) return { kind: 'conflict' }
  if (known.status_code === null || known.response === null) return { kind: 'in_progress' }
  return { kind: 'answered', statusCode: known.status_code, response: known.response }
}
