/** Answers a repeated POST with the same Idempotency-Key by the first answer, as docs/reference/api.md documents. */

import { createHash, randomUUID } from 'node:crypto'
import type { Context, MiddlewareHandler } from 'hono'
import { masterKeysOf } from '../../config/master-keys.js'
import { beginRequest } from '../../db/access/begin-request.js'
import { releaseRequest } from '../../db/access/release-request.js'
import { storeAnswer } from '../../db/access/store-answer.js'
import type { Sql, Transaction } from '../../db/connect.js'
import { KeyturnError } from '../../domain/errors.js'
import { openSecret, type SealedRow, sealSecret } from '../../vault/seal-secret.js'
import type { ApiEnv, IdempotentRequest } from '../context.js'

/**
 * Time after which a request without an answer counts as dead, and the same request may take over. A handler
 * needs far less. It is safe even if the first one is only slow, because `keepAnswer` then fails and rolls
 * its transaction back.
 */
const LEASE_MS = 10_000
const MAX_KEY_LENGTH = 255

/**
 * Replays, refuses or admits a POST that has an Idempotency-Key. It runs after the check of the scope.
 *
 * @param leaseMs - Time that a request may take. Default: 10 s.
 */
export function idempotency(leaseMs = LEASE_MS): MiddlewareHandler<ApiEnv> {
  return async function idempotency(c, next) {
    const key = c.req.method === 'POST' ? c.req.header('idempotency-key') : undefined
    if (key === undefined) return next()
    if (key.length === 0 || key.length > MAX_KEY_LENGTH) {
      throw new KeyturnError(
        'VALIDATION_FAILED',
        `Send an Idempotency-Key of 1 to ${MAX_KEY_LENGTH} characters`,
        {
          details: {
            in: 'header',
            fields: [{ path: 'Idempotency-Key', reason: `1 to ${MAX_KEY_LENGTH} characters` }],
          },
        },
      )
    }
    const { sql, environment } = c.get('dependencies')
    const merchantId = c.get('merchantId')
    const owner = randomUUID()
    const begun = await beginRequest(sql, {
      merchantId,
      key,
      owner,
      requestHash: requestHash(c),
      windowMs: environment.KEYTURN_IDEMPOTENCY_WINDOW,
      leaseMs,
    })
    switch (begun.kind) {
      case 'answered':
        return new Response(
          new Uint8Array(openSecret(masterKeysOf(environment), begun.response, sealedRow(merchantId, key))),
          {
            status: begun.statusCode,
            headers: { 'Content-Type': 'application/json', 'Idempotent-Replayed': 'true' },
          },
        )
      case 'in_progress':
        throw new KeyturnError(
          'REQUEST_IN_PROGRESS',
          'The first request with this Idempotency-Key is still under way. Send it again in a moment',
          { retryable: true, details: { retry_after: 1 } },
        )
      case 'conflict':
        throw new KeyturnError(
          'IDEMPOTENCY_CONFLICT',
          'This Idempotency-Key was used for another request. Use a new key for a new request',
        )
      case 'first':
    }
    const request: IdempotentRequest = { key, owner, kept: false }
    c.set('idempotentRequest', request)
    await next()
    // After an error, the transaction that stored the answer may have been rolled back.
    if (!request.kept || c.error) await afterHandler(c, sql, merchantId, request)
  }
}

/**
 * Stores the answer in the transaction of the effect, so that a crash cannot come between the two and the
 * effect happens once however often the request is sent. Call it last in the transaction, with the exact
 * answer.
 *
 * @param body - Whole body, e.g. `success(view)`.
 * @returns The body, so that a handler can `return keepAnswer(…)` from its transaction.
 * @throws KeyturnError `REQUEST_IN_PROGRESS` if another request took over. The transaction must then roll
 * back.
 */
export async function keepAnswer<Body>(
  c: Context<ApiEnv>,
  tx: Transaction,
  statusCode: number,
  body: Body,
): Promise<Body> {
  const request = c.get('idempotentRequest')
  if (!request) return body
  const stored = await storeAnswer(tx, {
    merchantId: c.get('merchantId'),
    key: request.key,
    owner: request.owner,
    statusCode,
    response: sealAnswer(c, request.key, Buffer.from(JSON.stringify(body))),
  })
  if (!stored) {
    throw new KeyturnError(
      'REQUEST_IN_PROGRESS',
      'The same request is under way a second time. Send it again in a moment',
      {
        retryable: true,
        details: { retry_after: 1 },
      },
    )
  }
  request.kept = true
  return body
}

/** Stores answers without an effect of their own: refusals, and answers of routes that may safely run twice. */
async function afterHandler(
  c: Context<ApiEnv>,
  sql: Sql,
  merchantId: string,
  request: IdempotentRequest,
): Promise<void> {
  const answer = { merchantId, key: request.key, owner: request.owner }
  try {
    if (isTransient(c)) {
      await releaseRequest(sql, answer)
      return
    }
    const response = sealAnswer(c, answer.key, new Uint8Array(await c.res.clone().arrayBuffer()))
    await storeAnswer(sql, { ...answer, statusCode: c.res.status, response })
  } catch (error) {
    // The handler's effect is committed, so send its answer. The key becomes free when the lease is over.
    c.get('dependencies').log.warn({ err: error }, 'idempotent answer could not be stored')
  }
}

/** Seals a stored answer, because some show a new secret, which is stored nowhere else in the clear. */
function sealAnswer(c: Context<ApiEnv>, key: string, answer: Uint8Array): Buffer {
  const { environment } = c.get('dependencies')
  return sealSecret(environment.KEYTURN_MASTER_KEY, answer, sealedRow(c.get('merchantId'), key))
}

function sealedRow(merchantId: string, key: string): SealedRow {
  return { table: 'idempotency_keys', key: [merchantId, key] }
}

/** Returns whether the same key may be used again: for a corrected malformed request, or after a server error. */
function isTransient(c: Context<ApiEnv>): boolean {
  const { status } = c.res
  if (status >= 500 || status === 400 || status === 415 || status === 429) return true
  return c.error instanceof KeyturnError && c.error.code === 'REQUEST_IN_PROGRESS'
}

function requestHash(c: Context<ApiEnv>): Buffer {
  return (
    createHash('sha256')
      // An answer may show a secret that only its own key may see. A rotation keeps the key's id.
      .update(`${c.get('apiKeyId')}\n${c.req.method}\n${c.get('sentPath')}\n`)
      .update(c.get('bodySha256') ?? c.get('rawBody'))
      .digest()
  )
}
