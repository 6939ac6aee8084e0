/** Creates token buckets by id, in this process: a burst of one minute's tokens, then an even flow. */

import { KeyturnError } from '../../domain/errors.js'

/** Most buckets. The least recently used are removed first; a missing bucket counts as full. */
const MOST_BUCKETS = 50_000
const MINUTE_MS = 60_000

export interface Buckets {
  /** Takes a token. @returns 0 if there was one, or the whole seconds until there is one. */
  take(id: string, perMinute: number): number
  /** Returns a token that was taken for nothing. */
  giveBack(id: string, perMinute: number): void
  /** Checks for a token without taking it. @returns 0 if there is one, or the whole seconds until there is one. */
  wait(id: string, perMinute: number): number
  /** Takes a token even if there is none. The debt, of one minute's tokens at most, must flow back first. */
  owe(id: string, perMinute: number): void
}

interface Bucket {
  tokens: number
  at: number
}

/** Creates buckets. @param now - Clock in milliseconds, for tests. */
export function createBuckets(now: () => number = Date.now): Buckets {
  const buckets = new Map<string, Bucket>()
  const fill = (id: string, perMinute: number): Bucket => {
    const at = now()
    const bucket = buckets.get(id) ?? { tokens: perMinute, at }
    // Delete and set again, so that the bucket becomes the most recently used.
    buckets.delete(id)
    buckets.set(id, bucket)
    for (const oldest of buckets.keys()) {
      if (buckets.size <= MOST_BUCKETS) break
      buckets.delete(oldest)
    }
    bucket.tokens = Math.min(perMinute, bucket.tokens + ((at - bucket.at) * perMinute) / MINUTE_MS)
    bucket.at = at
    return bucket
  }
  const secondsUntil = ({ tokens }: Bucket, perMinute: number): number =>
    tokens >= 1 ? 0 : Math.ceil(((1 - tokens) * 60) / perMinute)
  return {
    take(id, perMinute) {
      const bucket = fill(id, perMinute)
      const seconds = secondsUntil(bucket, perMinute)
      if (seconds === 0) bucket.tokens -= 1
      return seconds
    },
    giveBack(id, perMinute) {
      const bucket = fill(id, perMinute)
      bucket.tokens = Math.min(perMinute, bucket.tokens + 1)
    },
    wait(id, perMinute) {
      // A missing bucket is full, and this check creates none.
      return buckets.has(id) ? secondsUntil(fill(id, perMinute), perMinute) : 0
    },
    owe(id, perMinute) {
      const bucket = fill(id, perMinute)
      bucket.tokens = Math.max(-perMinute, bucket.tokens - 1)
    },
  }
}

/**
 * Creates the error for a sender without a token: `RATE_LIMITED`.
 *
 * @param reason - What is too much, without a full stop.
 * @param perMinute - Rate that holds.
 * @param seconds - Whole seconds until there is a token, as `take` returns them.
 */
export function rateLimited(reason: string, perMinute: number, seconds: number): KeyturnError {
  return new KeyturnError('RATE_LIMITED', `${reason}. Wait ${seconds} s`, {
    retryable: true,
    details: { limit_per_minute: perMinute, retry_after: seconds },
  })
}
