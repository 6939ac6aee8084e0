/** Replays events to an endpoint without Temporal: makes their deliveries pending, as the workflow would. */

import type { Sql } from '../../db/connect.js'
import { advanceReplay } from '../../db/events/replays/advance-replay.js'
import { createReplay, type NewReplay } from '../../db/events/replays/create-replay.js'
import type { EndpointRow } from '../../db/events/webhooks/endpoint-row.js'

/**
 * Creates a replay of all events up to now, or of what is wanted, and makes all of its deliveries pending.
 *
 * @returns Its id, and how many deliveries it made pending that were not about to be sent.
 */
export async function runReplay(
  sql: Sql,
  endpoint: EndpointRow,
  wanted: Partial<NewReplay> = {},
): Promise<{ readonly id: string; readonly renewed: number }> {
  const { replay, renewed } = await sql.begin((tx) =>
    createReplay(tx, endpoint, {
      mode: 'all',
      since: new Date(0),
      until: null,
      eventTypes: null,
      dryRun: false,
      rate: null,
      ...wanted,
    }),
  )
  while ((await advanceReplay(sql, replay.id, 100_000, 100_000))?.more);
  await sql`UPDATE webhook_replays SET status = 'cancelled' WHERE id = ${replay.id} AND status = 'running'`
  return { id: replay.id, renewed }
}
