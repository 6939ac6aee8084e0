/** Stores the health of a chain for `GET /networks`: the node's head, and whether following it works. */

import type { Queryable } from '../connect.js'

export interface ChainHealth {
  /** Node's head. `null` if the node could not be asked. */
  readonly headHeight: number | null
  readonly health: 'ok' | 'degraded'
  /** Why it is degraded, for people. `null` if all is well. */
  readonly note: string | null
}

/**
 * Records the health. Before the first start there is no cursor, and it records only why scanning has not
 * begun.
 */
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
