import type { Queryable } from '../../connect.js'

/**
 * Records that the workflows of these deliveries run; called after their start, so a crash in between starts again.
 * One that was made pending again meanwhile (another `restarts`) stays unstarted: its new run is still to come.
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
