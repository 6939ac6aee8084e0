/** Releases the held deliveries of an endpoint that is active again. */

import type { Transaction } from '../../connect.js'
import { lockOldest } from './lock-oldest.js'

/**
 * Makes the oldest held deliveries of an endpoint pending. They take turns in the order of their events: the sealer
 * starts the next one when the attempt of the one before has a result (`unstartedDeliveries`). While the circuit of
 * the endpoint is not closed, that decides whose turn it is.
 *
 * @returns How many it released.
 */
export async function releaseDeliveries(tx: Transaction, endpointId: string, most: number): Promise<number> {
  const released = await tx`
    WITH ${lockOldest(tx, endpointId, 'held', most)}
    UPDATE webhook_deliveries delivery
    SET status = 'pending', next_attempt_at = now(), workflow_started_at = NULL, restarts = restarts + 1,
        turn = CASE WHEN NOT EXISTS (
          SELECT FROM webhook_circuits WHERE endpoint_id = ${endpointId} AND state <> 'closed') THEN event.position END
    FROM locked, events event
    WHERE delivery.id = locked.id AND delivery.status = 'held' AND event.id = delivery.event_id`
  if (released.count > 0) await tx`SELECT pg_notify('sealer', '')`
  return released.count
}

/**
 * Ends the turns of an endpoint whose circuit is open, because its deliveries wait for the circuit, which sends
 * them in the same order.
 */
export async function endTurns(tx: Transaction, endpointId: string): Promise<void> {
  await tx`UPDATE webhook_deliveries SET turn = NULL WHERE endpoint_id = ${endpointId} AND turn IS NOT NULL`
}
