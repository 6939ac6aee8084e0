/** Gives back the times that deliveries of an endpoint have reserved, because its limit has changed. */

import type { Transaction } from '../../connect.js'

/** Milliseconds before its time from which on a delivery keeps it: its attempt is about to be made. */
const SOON_MS = 2_000

/**
 * Forgets the reserved times of an endpoint, which the caller has locked. Deliveries that would sleep until theirs
 * are started again, and reserve others by the new limit.
 */
export async function releaseSlots(tx: Transaction, endpointId: string): Promise<void> {
  await tx`DELETE FROM webhook_rates WHERE endpoint_id = ${endpointId}`
  await tx`
    WITH woken AS (
      UPDATE webhook_deliveries SET slot_at = NULL, workflow_started_at = NULL, restarts = restarts + 1
      WHERE endpoint_id = ${endpointId} AND status = 'pending'
        AND slot_at > clock_timestamp() + ${SOON_MS} * interval '1 millisecond'
    )
    SELECT pg_notify('sealer', '')`
}
