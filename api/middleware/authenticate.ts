/** Authentication (contract section 2): API key, HMAC over the request, time window. The nonce comes after the rate limit. */

import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import type { ApiKeyCache } from '../../db/api-keys/create-api-key-cache.js'
import type { ClaimNonce } from '../../db/api-keys/create-nonce-claims.js'
import { KeyturnError } from '../../domain/errors.js'
import { hashedRequestMessage } from '../../domain/request-signature.js'
import type { ApiEnv } from '../context.js'

const KEY_ID = /^[\x21-\x7e]{1,100}$/
const TIMESTAMP = /^\d{1,15}$/
const NONCE = /^[\x21-\x7e]{1,64}$/
const SIGNATURE = /^[0-9a-f]{64}$/
const EMPTY_SHA256 = createHash('sha256').digest('hex')
/** Nonces are kept until their timestamp can no longer pass, and so much longer for the clocks of several servers. */
export const NONCE_MARGIN_MS = 60_000
/** An unknown key costs the same HMAC as a known one with a bad signature. */
const NOBODY = randomBytes(32)

/** Sets who asks. @param windowMs - How far `X-Timestamp` may be off, either way. */
export function authenticate(options: {
  readonly keys: ApiKeyCache
  readonly windowMs: number
}): MiddlewareHandler<ApiEnv> {
  return async function authenticate(c, next) {
    const id = c.req.header('x-api-key')
    if (id === undefined || !KEY_ID.test(id)) throw invalidKey('Send your API key id in X-Api-Key')
    const timestamp = c.req.header('x-timestamp') ?? ''
    const nonce = c.req.header('x-nonce') ?? ''
    const signature = c.req.header('x-signature') ?? ''
    const key = await options.keys.find(id)
    const body = c.get('rawBody')
    const message = hashedRequestMessage(
      { timestamp, nonce, method: c.req.method, path: c.get('sentPath') },
      body.length === 0 ? EMPTY_SHA256 : createHash('sha256').update(body).digest('hex'),
    )
    const expected = createHmac('sha256', key?.secret ?? NOBODY)
      .update(message)
      .digest()
    const sent = Buffer.from(SIGNATURE.test(signature) ? signature : '0'.repeat(64), 'hex')
    const matches = timingSafeEqual(expected, sent)
    if (!key) throw invalidKey('This API key is not known or was revoked; check X-Api-Key')
    if (!matches) {
      throw new KeyturnError(
        'INVALID_SIGNATURE',
        'X-Signature does not match: sign timestamp, nonce, method, path with query and the SHA-256 of the body with your API secret, in lower-case hex',
      )
    }
    checkTimestamp(timestamp, options.windowMs)
    if (!NONCE.test(nonce)) {
      throw new KeyturnError(
        'VALIDATION_FAILED',
        'Send a fresh X-Nonce of 1 to 64 visible ASCII characters',
        {
          details: {
            in: 'header',
            fields: [{ path: 'X-Nonce', reason: '1 to 64 visible ASCII characters' }],
          },
        },
      )
    }
    c.set('apiKeyId', key.id)
    c.set('merchantId', key.merchantId)
    c.set('personId', key.personId)
    c.set('actor', key.personId === null ? `api-key:${key.id}` : `person:${key.personId}`)
    c.set('initiator', key.personId ?? key.id)
    c.set('scopes', key.scopes)
    c.set('ipAllowlist', key.ipAllowlist)
    c.set('rateLimitPerMinute', key.rateLimitPerMinute)
    await next()
  }
}

/** Refuses a nonce that was used before with this key, whatever the request. */
export function claimNonce(options: {
  readonly claim: ClaimNonce
  readonly windowMs: number
}): MiddlewareHandler<ApiEnv> {
  return async function claimNonce(c, next) {
    const sentAt = Number(c.req.header('x-timestamp')) * 1_000
    const expiresAt = new Date(sentAt + options.windowMs + NONCE_MARGIN_MS)
    if (!(await options.claim(c.get('apiKeyId'), c.req.header('x-nonce') ?? '', expiresAt))) {
      throw new KeyturnError(
        'NONCE_REUSED',
        'This X-Nonce was used before; make a fresh one for every request',
      )
    }
    await next()
  }
}

function checkTimestamp(timestamp: string, windowMs: number): void {
  const now = Date.now()
  const off = TIMESTAMP.test(timestamp) ? Math.abs(now - Number(timestamp) * 1_000) : Number.POSITIVE_INFINITY
  if (off > windowMs) {
    throw new KeyturnError(
      'TIMESTAMP_OUT_OF_RANGE',
      `X-Timestamp must be Unix seconds at most ${Math.floor(windowMs / 1_000)} s off; check your clock`,
      { details: { server_time: Math.floor(now / 1_000) } },
    )
  }
}

function invalidKey(message: string): KeyturnError {
  return new KeyturnError('INVALID_API_KEY', message)
}
