/** Loads what the first attempt needs, and records that it begins, in one statement. */

import type { Queryable } from '../../connect.js'
import { attemptColumns, attemptTables, type LoadedAttempt } from './load-attempt.js'

export interface ClaimedAttempt extends LoadedAttempt {
  /** Whether this call recorded the beginning. The fields are those from before. */
  readonly claimed: boolean
}

/**
 * Claims the first attempt of a delivery for this process: only one call ever gets it. It claims nothing
 * unless the delivery can be sent now, which the circuit of its endpoint decides too. At an endpoint with a limit
 * of its rate the attempt may have to wait, so an activity makes it. `null` if there is no such delivery.
 *
 * The commit does not wait for the disk. A database that loses the claim in a crash loses a line of the log
 * for an attempt without a result, and only if the worker dies at the same time.
 */
export async function claimFirstAttempt(sql: Queryable, deliveryId: string): Promise<ClaimedAttempt | null> {
  const [row] = await sql<ClaimedAttempt[]>`
    WITH claimed AS (
      UPDATE webhook_deliveries SET first_attempt_at = clock_timestamp()
      FROM events event, webhook_endpoints endpoint, set_config('synchronous_commit', 'off', true) AS soon
      WHERE webhook_deliveries.id = ${deliveryId} AND webhook_deliveries.status = 'pending'
        AND first_attempt_at IS NULL AND attempts = 0 AND restarts = 0
        AND event.id = event_id AND event.body IS NOT NULL
        AND (webhook_deliveries.schema_version IS NULL OR EXISTS (
          SELECT FROM event_bodies older
          WHERE older.event_id = event.id AND older.schema_version = webhook_deliveries.schema_version))
        AND endpoint.id = endpoint_id AND endpoint.status = 'active' AND endpoint.max_rate IS NULL
        AND (requested OR NOT EXISTS (
          SELECT FROM webhook_circuits circuit WHERE circuit.endpoint_id = endpoint.id AND circuit.state <> 'closed'))
      RETURNING webhook_deliveries.id
    )
    SELECT ${attemptColumns(sql)}, EXISTS (SELECT FROM claimed) AS claimed
    FROM ${attemptTables(sql)} WHERE delivery.id = ${deliveryId}`
  return row ?? null
}
