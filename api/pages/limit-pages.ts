/** Limits how many pages one address loads. */

import type { MiddlewareHandler } from 'hono'
import type { ApiEnv } from '../context.js'
import { parseRanges } from '../middleware/allow-ip.js'
import { createBuckets, rateLimited } from '../middleware/create-buckets.js'
import { senderOf } from '../middleware/guard-addresses.js'

export interface PageLimit {
  /** Pages a minute for each address. */
  readonly perMinute: number
  /** `KEYTURN_TRUSTED_PROXIES`. */
  readonly trustedProxies: readonly string[]
}

/** Creates the middleware, with buckets of its own. It throws `RATE_LIMITED`, which `showErrors` renders. */
export function limitPages({ perMinute, trustedProxies }: PageLimit): MiddlewareHandler<ApiEnv> {
  const proxies = parseRanges(trustedProxies)
  const buckets = createBuckets()
  return async function limitPages(c, next) {
    const seconds = buckets.take(senderOf(c, proxies), perMinute)
    if (seconds > 0) {
      throw rateLimited('Too many pages were loaded from this address', perMinute, seconds)
    }
    await next()
  }
}
