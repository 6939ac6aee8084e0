/** Token buckets by id, in this process: a burst of a minute's worth, then an even flow. */

/** Ids are not bounded; those that were not seen for longest go first, and a full bucket is as good as none. */
const MOST_BUCKETS = 50_000
const MINUTE_MS = 60_000

export interface Buckets {
  /** Takes a token. @returns 0 when there was one, else the whole seconds until there is. */
  take(id: string, perMinute: number): number
  /** Gives a token back that was taken for nothing. */
  giveBack(id: string, perMinute: number): void
  /** Whether there is a token now. @returns 0, or the whole seconds until there is. */
  wait(id: string, perMinute: number): number
  /** Takes a token that may not be there: what is owed, a minute's worth at most, must flow back first. */
  owe(id: string, perMinute: number): void
}

interface Bucket {
  tokens: number
  at: number
}

/** Makes buckets. @param now - Milliseconds, for tests. */
export function createBuckets(now: () => number = Date.now): Buckets {
  const buckets = new Map<string, Bucket>()
  const fill = (id: string, perMinute: number): Bucket => {
    const at = now()
    const bucket = buckets.get(id) ?? { tokens: perMinute, at }
    // Last in the order again.
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
      // One that is not there is full; looking makes none.
      return buckets.has(id) ? secondsUntil(fill(id, perMinute), perMinute) : 0
    },
    owe(id, perMinute) {
      const bucket = fill(id, perMinute)
      bucket.tokens = Math.max(-perMinute, bucket.tokens - 1)
    },
  }
}
