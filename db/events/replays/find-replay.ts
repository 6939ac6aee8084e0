/** Finds one replay of an endpoint, and lists them. */

import type { Queryable } from '../../connect.js'
import type { Slice } from '../../slice.js'
import { type ReplayRow, replayColumns } from './replay-row.js'

/** Returns a replay of a merchant's endpoint. `null` if there is none. */
export async function findReplay(
  sql: Queryable,
  merchantId: string,
  endpointId: string,
  id: string,
): Promise<ReplayRow | null> {
  const [row] = await sql<ReplayRow[]>`
    SELECT ${replayColumns(sql)} FROM webhook_replays replay
    WHERE replay.id = ${id} AND replay.endpoint_id = ${endpointId} AND replay.merchant_id = ${merchantId}`
  return row ?? null
}

/** Returns the replays of an endpoint, the newest first. */
export async function listReplays(sql: Queryable, endpointId: string, slice: Slice): Promise<ReplayRow[]> {
  return sql<ReplayRow[]>`
    SELECT ${replayColumns(sql)} FROM webhook_replays replay
    WHERE replay.endpoint_id = ${endpointId}
      ${slice.before === null ? sql`` : sql`AND replay.id < ${slice.before}`}
    ORDER BY replay.id DESC LIMIT ${slice.take} OFFSET ${slice.offset}`
}
