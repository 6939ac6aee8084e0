/** What `GET /networks` shows of a chain: the node's head, and whether following it works. */

import type { Queryable } from '../connect.js'

export interface ChainHealth {
  /** The node's head; null where it could not be asked. */
  readonly headHeight: number | null
  readonly health: 'ok' | 'degraded'
  /** Why it is degraded, for people; null when all is well. */
  readonly note: string | null
}

/** Records the health; before the first start, when there is no cursor, only why it has not begun. */
export async function setChainHealth(sql: Queryable, network: string, health: ChainHealth): Promise<void> {
  const updated = await sql`
    UPDATE chain_cursors
    SET head_height = coalesce(${health.headHeight}::bigint, head_height), health = ${health.health},
        health_note = ${health.note}, updated_at = clock_timestamp()
    WHERE network = ${network}`
  if (updated.count > 0 || health.note === null) return
  await sql`
    INSERT INTO chain_waits (network, note) VALUES (${network}, ${health.note})
    ON CONFLICT (network) DO UPDATE SET note = excluded.note, updated_at = clock_timestamp()`
}
