import type { Queryable } from '../connect.js'

/** Records that the workflows of these deliveries run; called after their start, so a crash in between starts again. */
export async function markDeliveriesStarted(sql: Queryable, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await sql`UPDATE webhook_deliveries SET workflow_started_at = clock_timestamp() WHERE id = ANY (${[...ids]})`
}
