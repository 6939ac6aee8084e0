/** A short-lived cache of API keys in one process, so that a request costs no query for its key. */

import type { Sql } from '../connect.js'
import { type ApiKey, findApiKey } from './find-api-key.js'

/** Bounds how long a change can go unnoticed if the database's notification is lost. */
const TTL_MS = 3_000
/** Ids that nobody has would otherwise fill the memory. */
const MAX_ENTRIES = 50_000

export interface ApiKeyCache {
  /** The key, from the cache or the database; null where there is none that may be used. */
  readonly find: (id: string) => Promise<ApiKey | null>
  /** Forgets a key, because it was changed. */
  readonly forget: (id: string) => void
  /** Hears of changes by other processes from now on. @returns A function that stops it. */
  readonly listen: () => Promise<() => Promise<void>>
}

/** Makes the cache of a process. Unknown ids are cached too, so both kinds cost the same. */
export function createApiKeyCache(sql: Sql, masterKeys: readonly string[]): ApiKeyCache {
  const entries = new Map<string, { readonly key: Promise<ApiKey | null>; readonly until: number }>()
  return {
    find(id) {
      const now = Date.now()
      const known = entries.get(id)
      if (known && known.until > now) return known.key
      if (entries.size >= MAX_ENTRIES) entries.clear()
      const key = findApiKey(sql, masterKeys, id)
      const entry = { key, until: now + TTL_MS }
      entries.set(id, entry)
      // An answer that failed is nobody's: the next request asks again.
      key.catch(() => {
        if (entries.get(id) === entry) entries.delete(id)
      })
      return key
    },
    forget(id) {
      entries.delete(id)
    },
    async listen() {
      const subscription = await sql.listen(
        'api_key_changed',
        (id) => entries.delete(id),
        // A reconnect may have missed notifications.
        () => entries.clear(),
      )
      return () => subscription.unlisten()
    },
  }
}
