/** Releases the held deliveries of an endpoint that is active again. */

import type { Transaction } from '../../connect.js'

/**
 * Makes every held delivery of an endpoint pending. They take turns in the order of their events: the sealer
 * starts the next one when the attempt of the one before has a result (`unstartedDeliveries`).
 */
export async function releaseDeliveries(tx: Transaction, endpointId: string): Promise<void> {
  await tx`
    WITH released AS (
      UPDATE webhook_deliveries delivery
      SET status = 'pending', next_attempt_at = now(), workflow_started_at = NULL, restarts = restarts + 1,
          turn = event.position
      FROM events event
      WHERE delivery.endpoint_id = ${endpointId} AND delivery.status = 'held' AND event.id = delivery.event_id
    )
    SELECT pg_notify('sealer', '')`
}

/**
 * Ends the turns of an endpoint whose circuit is open, because its deliveries wait for the circuit, which sends
 * them in the same order.
 */
export async function endTurns(tx: Transaction, endpointId: string): Promise<void> {
  await tx`UPDATE webhook_deliveries SET turn = NULL WHERE endpoint_id = ${endpointId} AND turn IS NOT NULL`
}
