/** Authenticates requests by API key, HMAC and time window. The nonce is checked after the rate limit. */

import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import type { ApiKeyCache } from '../../db/access/create-api-key-cache.js'
import type { LastUses } from '../../db/access/create-last-uses.js'
import { KeyturnError } from '../../domain/errors.js'
import { hashedRequestMessage } from '../../domain/signing/request-signature.js'
import type { ApiEnv } from '../context.js'
import type { AddressGuard } from './guard-addresses.js'

const KEY_ID = /^[\x21-\x7e]{1,100}$/
const TIMESTAMP = /^\d{1,15}$/
const NONCE = /^[\x21-\x7e]{1,64}$/
const SIGNATURE = /^[0-9a-f]{64}$/
const EMPTY_SHA256 = createHash('sha256').digest('hex')

export interface AuthenticateOptions {
  readonly keys: ApiKeyCache
  /** Accepted difference of `X-Timestamp` in either direction. */
  readonly windowMs: number
  readonly guard: AddressGuard
  readonly lastUses: Pick<LastUses, 'note'>
}

/** Finds the key that a request names. It runs first, so that the body of a request without a key is not read. */
export function identify({
  keys,
  guard,
}: Pick<AuthenticateOptions, 'keys' | 'guard'>): MiddlewareHandler<ApiEnv> {
  return async function identify(c, next) {
    const id = c.req.header('x-api-key') ?? ''
    const known = KEY_ID.test(id)
    guard.begin(c, known ? id : '')
    const key = known ? await keys.find(id) : null
    if (!known) {
      guard.failed(c, '')
      throw invalidKey('Send your API key id in X-Api-Key')
    }
    if (!key) {
      guard.failed(c, id)
      throw invalidKey('This API key is unknown or was revoked. Check X-Api-Key')
    }
    c.set('apiKey', key)
    await next()
  }
}

/** Checks signature and time, and sets the actor. It runs after `identify` and after the body was read. */
export function authenticate({
  windowMs,
  guard,
  lastUses,
}: Omit<AuthenticateOptions, 'keys'>): MiddlewareHandler<ApiEnv> {
  return async function authenticate(c, next) {
    const key = c.get('apiKey')
    const timestamp = c.req.header('x-timestamp') ?? ''
    const nonce = c.req.header('x-nonce') ?? ''
    const signature = c.req.header('x-signature') ?? ''
    const body = c.get('rawBody')
    const message = hashedRequestMessage(
      { timestamp, nonce, method: c.req.method, path: c.get('sentPath') },
      c.get('bodySha256') ??
        (body.length === 0 ? EMPTY_SHA256 : createHash('sha256').update(body).digest('hex')),
    )
    const expected = createHmac('sha256', key.secret).update(message).digest()
    const sent = Buffer.from(SIGNATURE.test(signature) ? signature : '0'.repeat(64), 'hex')
    if (!timingSafeEqual(expected, sent)) {
      guard.failed(c, key.publicId)
      throw new KeyturnError(
        'INVALID_SIGNATURE',
        'X-Signature does not match. Sign timestamp, nonce, method, path with query and the SHA-256 of the body with your API secret, in lower-case hex',
      )
    }
    guard.passed(c, key.publicId)
    lastUses.note(key.id)
    checkTimestamp(timestamp, windowMs)
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

function checkTimestamp(timestamp: string, windowMs: number): void {
  const now = Date.now()
  const off = TIMESTAMP.test(timestamp) ? Math.abs(now - Number(timestamp) * 1_000) : Number.POSITIVE_INFINITY
  if (off > windowMs) {
    throw new KeyturnError(
      'TIMESTAMP_OUT_OF_RANGE',
      `X-Timestamp must be Unix seconds at most ${Math.floor(windowMs / 1_000)} s off. Check your clock`,
      { details: { server_time: Math.floor(now / 1_000) } },
    )
  }
}

function invalidKey(message: string): KeyturnError {
  return new KeyturnError('INVALID_API_KEY', message)
}
