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
  await sql`
    UPDATE webhook_deliveries delivery SET workflow_started_at = clock_timestamp()
    FROM unnest(${deliveries.map((each) => each.id)}::text[], ${deliveries.map((each) => each.restarts)}::integer[])
      AS started (id, restarts)
    WHERE delivery.id = started.id AND delivery.restarts = started.restarts`
}
