/** A token bucket per API key and process: a burst of a minute's worth, then an even flow. */

import type { MiddlewareHandler } from 'hono'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv } from '../context.js'

/** Keys are few, but not bounded; a full bucket is as good as none. */
const MAX_BUCKETS = 50_000

/** Refuses with 429 `RATE_LIMITED` and Retry-After once a key has used up its `rate_limit_per_minute`. */
export function limitRate(now: () => number = Date.now): MiddlewareHandler<ApiEnv> {
  const buckets = new Map<string, { tokens: number; at: number }>()
  return async function limitRate(c, next) {
    const perMinute = Math.max(1, c.get('rateLimitPerMinute'))
    const at = now()
    let bucket = buckets.get(c.get('apiKeyId'))
    if (!bucket) {
      if (buckets.size >= MAX_BUCKETS) buckets.clear()
      bucket = { tokens: perMinute, at }
      buckets.set(c.get('apiKeyId'), bucket)
    }
    bucket.tokens = Math.min(perMinute, bucket.tokens + ((at - bucket.at) * perMinute) / 60_000)
    bucket.at = at
    if (bucket.tokens < 1) {
      const seconds = Math.ceil(((1 - bucket.tokens) * 60) / perMinute)
      throw new KeyturnError(
        'RATE_LIMITED',
        `This key may send ${perMinute} requests a minute; wait ${seconds} s`,
        {
          retryable: true,
          details: { limit_per_minute: perMinute, retry_after: seconds },
        },
      )
    }
    bucket.tokens -= 1
    await next()
  }
}
