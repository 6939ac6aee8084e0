/** Caches API keys in one process for a short time, so that a request costs no query for its key. */

import type { Sql } from '../connect.js'
import { type ApiKey, findApiKey } from './find-api-key.js'

/** Time to live, which bounds how long a change stays unnoticed if its notification is lost. */
const TTL_MS = 3_000
/** Most entries, so that unknown ids cannot fill the memory. */
const MAX_ENTRIES = 50_000

export interface ApiKeyCache {
  /** Returns the key from the cache or the database. `null` if no usable key has this id. */
  readonly find: (id: string) => Promise<ApiKey | null>
  /** Removes a key from the cache after a change. */
  readonly forget: (id: string) => void
  /** Listens for changes by other processes. @returns A function that stops listening. */
  readonly listen: () => Promise<() => Promise<void>>
}

/** Leaves out a public id that was replaced and whose time has ended since it was read. */
async function unlessOver(key: Promise<ApiKey | null>): Promise<ApiKey | null> {
  const found = await key
  return found?.expiresAt && found.expiresAt.getTime() <= Date.now() ? null : found
}

/** Creates the cache of a process. It caches unknown ids as well, so known and unknown ids cost the same. */
export function createApiKeyCache(sql: Sql, masterKeys: readonly string[]): ApiKeyCache {
  const entries = new Map<string, { readonly key: Promise<ApiKey | null>; readonly until: number }>()
  return {
    find(id) {
      const now = Date.now()
      const known = entries.get(id)
      if (known && known.until > now) return unlessOver(known.key)
      if (entries.size >= MAX_ENTRIES) entries.clear()
      const key = findApiKey(sql, masterKeys, id)
      const entry = { key, until: now + TTL_MS }
      entries.set(id, entry)
      // Do not cache a failed query, so that the next request asks again.
      key.catch(() => {
        if (entries.get(id) === entry) entries.delete(id)
      })
      return unlessOver(key)
    },
    forget(id) {
      entries.delete(id)
    },
    async listen() {
      const subscription = await sql.listen(
        'api_key_changed',
        (id) => entries.delete(id),
        // Notifications may have been lost before a reconnect.
        () => entries.clear(),
      )
      return () => subscription.unlisten()
    },
  }
}
