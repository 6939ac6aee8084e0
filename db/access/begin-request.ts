/** Takes an idempotency key for a request, or says what became of the request that has it. */

import type { Sql } from '../connect.js'

export interface RequestKey {
  readonly merchantId: string
  readonly key: string
  /** SHA-256 over method, path and raw body. */
  readonly requestHash: Buffer
  /** A fresh UUID: only its holder may store the answer. */
  readonly owner: string
  /** Milliseconds for which the first answer is kept. */
  readonly windowMs: number
  /** Milliseconds after which a request without an answer is taken for dead. */
  readonly leaseMs: number
}

export type BegunRequest =
  | { readonly kind: 'first' }
  | { readonly kind: 'answered'; readonly statusCode: number; readonly response: Buffer }
  | { readonly kind: 'in_progress' }
  | { readonly kind: 'conflict' }

/**
 * One statement decides, so of concurrent requests exactly one is `first`. A key is free again when its window is over, or
 * for the same request when its owner died without an answer.
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
  // Released between the two statements: the first request failed in a way that is not kept.
  if (!known) return { kind: 'in_progress' }
  if (!known.request_hash.equals(requestHash)) return { kind: 'conflict' }
  if (known.status_code === null || known.response === null) return { kind: 'in_progress' }
  return { kind: 'answered', statusCode: known.status_code, response: known.response }
}
