/** Cancels the deliveries of an endpoint that was deleted. */

import { OPEN_DELIVERIES } from '../../../domain/events/delivery-status.js'
import type { Transaction } from '../../connect.js'
import { members } from '../../members.js'

/** A delivery that was cancelled. */
export interface CancelledDelivery {
  readonly event_id: string
  /** Whether it may still have a waiting workflow. */
  readonly started: boolean
}

/** Cancels open deliveries of an endpoint, and returns them. */
export async function cancelDeliveries(
  tx: Transaction,
  endpointId: string,
  most: number,
): Promise<CancelledDelivery[]> {
  return tx<CancelledDelivery[]>`
    WITH next AS MATERIALIZED (
      (SELECT id FROM webhook_deliveries WHERE endpoint_id = ${endpointId} AND status = 'pending' LIMIT ${most})
      UNION ALL
      (SELECT id FROM webhook_deliveries WHERE endpoint_id = ${endpointId} AND status = 'held' LIMIT ${most})
      LIMIT ${most}
    ), locked AS MATERIALIZED (
      SELECT delivery.id FROM next JOIN webhook_deliveries delivery ON delivery.id = next.id
      ORDER BY delivery.id FOR NO KEY UPDATE OF delivery
    )
    UPDATE webhook_deliveries delivery SET status = 'cancelled', next_attempt_at = NULL
    FROM locked WHERE delivery.id = locked.id AND delivery.status IN ${members(tx, OPEN_DELIVERIES)}
    RETURNING delivery.event_id, delivery.workflow_started_at IS NOT NULL AS started`
}
