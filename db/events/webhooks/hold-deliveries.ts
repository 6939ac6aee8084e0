/** Holds the deliveries of an endpoint that gets none for a time. */

import type { Transaction } from '../../connect.js'

/** Holds every pending delivery of an endpoint, which the caller has locked. Their windows stand still. */
export async function holdDeliveries(tx: Transaction, endpointId: string): Promise<void> {
  await tx`
    UPDATE webhook_deliveries SET status = 'held', next_attempt_at = NULL
    WHERE endpoint_id = ${endpointId} AND status = 'pending'`
}
