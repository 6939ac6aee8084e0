/** Holds the deliveries of an endpoint that gets none for a time. */

import type { Transaction } from '../../connect.js'
import { lockOldest } from './lock-oldest.js'

/**
 * Holds the oldest pending deliveries of an endpoint. Their windows stand still.
 *
 * @returns How many it held.
 */
export async function holdDeliveries(tx: Transaction, endpointId: string, most: number): Promise<number> {
  const held = await tx`
    WITH ${lockOldest(tx, endpointId, 'pending', most)}
    UPDATE webhook_deliveries delivery SET status = 'held', next_attempt_at = NULL
    FROM locked WHERE delivery.id = locked.id AND delivery.status = 'pending'`
  return held.count
}
