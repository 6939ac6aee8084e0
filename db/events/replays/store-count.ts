/** Stores how much a replay will send. */

import type { Queryable } from '../../connect.js'

/** Stores the count of a replay. It completes one that has nothing to send, or that shall only count. */
export async function storeCount(sql: Queryable, id: string, matched: number): Promise<void> {
  await sql`
    UPDATE webhook_replays SET
      counted = true, matched = ${matched}, scanned = dry_run OR ${matched} = 0, touched_at = clock_timestamp(),
      status = CASE WHEN dry_run OR ${matched} = 0 THEN 'completed' ELSE 'running' END,
      finished_at = CASE WHEN dry_run OR ${matched} = 0 THEN clock_timestamp() END
    WHERE id = ${id} AND status = 'running' AND NOT counted`
}
