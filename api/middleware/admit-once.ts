/** Takes each request once, at the rate of its key; one that is sent again uses up nothing of its owner's rate. */

import type { MiddlewareHandler } from 'hono'
import type { ClaimNonce } from '../../db/access/create-nonce-claims.js'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv } from '../context.js'
import { createBuckets } from './create-buckets.js'
import { RecentSet } from './recent-set.js'

/** Nonces are kept until their timestamp can no longer pass, and so much longer for the clocks of several servers. */
export const NONCE_MARGIN_MS = 60_000
/** What this process knows to be used; the database knows all. */
const MOST_USED = 100_000

/**
 * Refuses with 429 `RATE_LIMITED` and Retry-After once a key has used up its `rate_limit_per_minute`, and with 401
 * `NONCE_REUSED` a nonce that was used before with this key, whatever the request. Runs after authentication.
 *
 * @param windowMs - How far `X-Timestamp` may be off.
 */
export function admitOnce(options: {
  readonly claim: ClaimNonce
  readonly windowMs: number
  readonly now?: () => number
}): MiddlewareHandler<ApiEnv> {
  const buckets = createBuckets(options.now)
  const used = new RecentSet(MOST_USED)
  return async function admitOnce(c, next) {
    const id = c.get('apiKeyId')
    const nonce = c.req.header('x-nonce') ?? ''
    const request = `${id}\n${nonce}`
    if (used.has(request)) throw nonceReused()
    const perMinute = Math.max(1, c.get('rateLimitPerMinute'))
    const seconds = buckets.take(id, perMinute)
    if (seconds > 0) throw rateLimited(perMinute, seconds)
    const sentAt = Number(c.req.header('x-timestamp')) * 1_000
    const fresh = await options.claim(id, nonce, new Date(sentAt + options.windowMs + NONCE_MARGIN_MS))
    used.add(request)
    if (!fresh) {
      // A stranger who recorded a request and sends it again must not be able to stop its owner.
      buckets.giveBack(id, perMinute)
      throw nonceReused()
    }
    await next()
  }
}

function nonceReused(): KeyturnError {
  return new KeyturnError('NONCE_REUSED', 'This X-Nonce was used before; make a fresh one for every request')
}

function rateLimited(perMinute: number, seconds: number): KeyturnError {
  return new KeyturnError(
    'RATE_LIMITED',
    `This key may send ${perMinute} requests a minute; wait ${seconds} s`,
    { retryable: true, details: { limit_per_minute: perMinute, retry_after: seconds } },
  )
}
