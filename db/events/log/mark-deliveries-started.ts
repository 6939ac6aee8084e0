/** Records that the workflows of deliveries run. */

import type { Queryable } from '../../connect.js'

/**
 * Records that the workflows of these deliveries run. The caller starts them first, so a crash in between
 * leads to another start. A delivery that became pending again meanwhile (another `restarts`) stays unstarted
 * for its new run.
 */
export async function markDeliveriesStarted(
  sql: Queryable,
  deliveries: readonly { readonly id: string; readonly restarts: number }[],
): Promise<void> {
  if (deliveries.length === 0) return
  // Two sealers may have started the same deliveries. Locks in one order keep them from waiting for each other.
  await sql`
    WITH locked AS MATERIALIZED (
      SELECT delivery.id
      FROM unnest(${deliveries.map((each) => each.id)}::text[], ${deliveries.map((each) => each.restarts)}::integer[])
        AS started (id, restarts)
      JOIN webhook_deliveries delivery ON delivery.id = started.id AND delivery.restarts = started.restarts
      ORDER BY delivery.id FOR NO KEY UPDATE OF delivery
    )
    UPDATE webhook_deliveries delivery SET
      workflow_started_at = clock_timestamp(),
      window_started_at = coalesce(delivery.window_started_at, clock_timestamp())
    FROM locked WHERE delivery.id = locked.id`
}
