/** Serves the workflows of replays: which are late, that one works, and how fast it may send. */

import type { Queryable } from '../../connect.js'

/** What the workflow of a replay is started with. */
export interface ReplayStart {
  readonly id: string
  readonly endpointId: string
  readonly merchantId: string
  readonly url: string
}

/** Returns running replays whose workflow was never started, or is gone. */
export async function lateReplays(sql: Queryable, graceMs: number, most: number): Promise<ReplayStart[]> {
  return sql<ReplayStart[]>`
    SELECT replay.id, replay.endpoint_id AS "endpointId", replay.merchant_id AS "merchantId", endpoint.url
    FROM webhook_replays replay JOIN webhook_endpoints endpoint ON endpoint.id = replay.endpoint_id
    WHERE replay.status = 'running' AND replay.touched_at < clock_timestamp() - ${graceMs} * interval '1 millisecond'
    ORDER BY replay.touched_at LIMIT ${most}`
}

/** Records that the workflow of a replay works, so that the sweeper need not start it. */
export async function touchReplay(sql: Queryable, id: string): Promise<void> {
  await sql`UPDATE webhook_replays SET touched_at = clock_timestamp() WHERE id = ${id} AND status = 'running'`
}

/** Returns the most deliveries a second of a replay. `null` if there is no cap. */
export async function readRate(sql: Queryable, id: string): Promise<number | null> {
  const [row] = await sql<{ rate: number | null }[]>`SELECT rate FROM webhook_replays WHERE id = ${id}`
  return row?.rate ?? null
}
