/** Admits each request once and within its key's rate. A replayed request uses up nothing of its owner's rate. */

import type { MiddlewareHandler } from 'hono'
import type { ClaimNonce } from '../../db/access/create-nonce-claims.js'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv } from '../context.js'
import { createBuckets, rateLimited } from './create-buckets.js'
import { RecentSet } from './recent-set.js'

/** Additional time for which a nonce is kept after its timestamp is refused, for differing clocks of servers. */
export const NONCE_MARGIN_MS = 60_000
/** Used nonces that this process remembers. The database knows all of them. */
const MOST_USED = 100_000

/**
 * Refuses with 429 `RATE_LIMITED` and Retry-After once a key has used up its `rate_limit_per_minute`, and
 * with 401 `NONCE_REUSED` a nonce that was used before with this key in any request. It runs after
 * authentication.
 *
 * @param windowMs - Accepted difference of `X-Timestamp`.
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
    if (seconds > 0) throw rateLimited(`This key may send ${perMinute} requests a minute`, perMinute, seconds)
    const sentAt = Number(c.req.header('x-timestamp')) * 1_000
    const fresh = await options.claim(id, nonce, new Date(sentAt + options.windowMs + NONCE_MARGIN_MS))
    used.add(request)
    if (!fresh) {
      // An attacker who replays a recorded request must not use up its owner's rate.
      buckets.giveBack(id, perMinute)
      throw nonceReused()
    }
    await next()
  }
}

function nonceReused(): KeyturnError {
  return new KeyturnError('NONCE_REUSED', 'This X-Nonce was used before. Create a new one for every request')
}
