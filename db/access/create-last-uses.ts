/** Notes when API keys were last used, without a statement for each request. */

import type { Sql } from '../connect.js'

/** Time between two statements, so that the time that is stored may be that old. */
const FLUSH_MS = 2_000

export interface LastUses {
  /** Notes that a key is used at this moment. */
  note(id: string): void
  /** Stores what was noted. */
  flush(): Promise<void>
}

/** Creates the notes of a process. What it has not stored when it dies is lost. */
export function createLastUses(sql: Sql): LastUses {
  let used = new Map<string, string>()
  let timer: NodeJS.Timeout | null = null
  const uses: LastUses = {
    note(id) {
      used.set(id, new Date().toISOString())
      timer ??= setTimeout(() => {
        // The next use notes it again.
        uses.flush().catch(() => {})
      }, FLUSH_MS).unref()
    },
    async flush() {
      if (timer) clearTimeout(timer)
      timer = null
      if (used.size === 0) return
      // In one order, so that two processes do not deadlock.
      const rows = [...used].sort(([a], [b]) => (a < b ? -1 : 1))
      used = new Map()
      await sql`
        UPDATE api_keys SET last_used_at = used.at
        FROM (
          SELECT key.id, noted.at FROM unnest(${rows.map(([id]) => id)}::text[], ${rows.map(([, at]) => at)}::timestamptz[])
            AS noted (id, at)
          JOIN api_keys key ON key.id = noted.id AND (key.last_used_at IS NULL OR key.last_used_at < noted.at)
          ORDER BY key.id FOR UPDATE OF key
        ) used WHERE api_keys.id = used.id`
    },
  }
  return uses
}
