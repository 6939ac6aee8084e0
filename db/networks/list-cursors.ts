/** Lists how far every chain was followed. */

import type { Queryable } from '../connect.js'

export interface ChainCursorRow {
  readonly network: string
  readonly height: bigint
  readonly head_height: bigint
  readonly health: 'ok' | 'degraded'
  readonly health_note: string | null
  readonly updated_at: Date
}

/** Returns one row for each network that was ever scanned. */
export async function listCursors(sql: Queryable): Promise<ChainCursorRow[]> {
  return sql<ChainCursorRow[]>`
    SELECT network, height, head_height, health, health_note, updated_at FROM chain_cursors ORDER BY network`
}

/** Returns why scanning has not begun, by network. */
export async function listWaits(sql: Queryable): Promise<ReadonlyMap<string, string>> {
  const rows = await sql<{ network: string; note: string }[]>`SELECT network, note FROM chain_waits`
  return new Map(rows.map((row) => [row.network, row.note]))
}
