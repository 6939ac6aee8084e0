/** Makes a delivery pending again. */

import { KeyturnError } from '../../../domain/errors.js'
import type { Transaction } from '../../connect.js'

/**
 * Makes any delivery pending again, with the same bytes and webhook-id. A delivery that waits for its next
 * attempt is attempted at once, also while the endpoint's circuit is open. The sealer starts or signals its workflow.
 *
 * @returns `false` if there is no such delivery.
 * @throws KeyturnError `INVALID_STATE` if its endpoint is paused, disabled or deleted.
 */
export async function redeliver(tx: Transaction, merchantId: string, id: string): Promise<boolean> {
  // The endpoint is locked before its deliveries, as by a change of the endpoint, so that neither waits for the other.
  const [delivery] = await tx<{ endpoint_id: string; endpoint_status: string }[]>`
    SELECT delivery.endpoint_id, endpoint.status AS endpoint_status
    FROM webhook_deliveries delivery JOIN webhook_endpoints endpoint ON endpoint.id = delivery.endpoint_id
    WHERE delivery.merchant_id = ${merchantId} AND delivery.id = ${id}
    FOR SHARE OF endpoint`
  if (!delivery) return false
  if (delivery.endpoint_status !== 'active') {
    throw new KeyturnError(
      'INVALID_STATE',
      delivery.endpoint_status === 'deleted'
        ? 'The endpoint was deleted. Replay the events to another endpoint'
        : `The endpoint is ${delivery.endpoint_status}. Resume it; held deliveries are then sent`,
      { details: { endpoint_id: delivery.endpoint_id, endpoint_status: delivery.endpoint_status } },
    )
  }
  await tx`
    UPDATE webhook_deliveries
    SET status = 'pending', next_attempt_at = now(), workflow_started_at = NULL, restarts = restarts + 1,
        requested = true, turn = NULL
    WHERE id = ${id}`
  await tx`SELECT pg_notify('sealer', '')`
  return true
}
