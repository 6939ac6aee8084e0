/** Holds the deliveries of an endpoint that gets none for a time. */

import type { Transaction } from '../../connect.js'

/**
 * Holds the oldest pending deliveries of an endpoint. Their windows stand still.
 *
 * @returns How many it held.
 */
export async function holdDeliveries(tx: Transaction, endpointId: string, most: number): Promise<number> {
  // Locks in one order keep two such calls, or the sealer, from waiting for each other.
  const held = await tx`
    WITH next AS MATERIALIZED (
      SELECT id FROM webhook_deliveries WHERE endpoint_id = ${endpointId} AND status = 'pending'
      ORDER BY created_at LIMIT ${most}
    ), locked AS MATERIALIZED (
      SELECT delivery.id FROM next JOIN webhook_deliveries delivery ON delivery.id = next.id
      WHERE delivery.status = 'pending' ORDER BY delivery.id FOR NO KEY UPDATE OF delivery
    )
    UPDATE webhook_deliveries delivery SET status = 'held', next_attempt_at = NULL
    FROM locked WHERE delivery.id = locked.id AND delivery.status = 'pending'`
  return held.count
}
