/** Holds or cancels a delivery without an attempt. */

import { OPEN_DELIVERIES } from '../../../domain/events/delivery-status.js'
import type { Queryable } from '../../connect.js'
import { members } from '../../members.js'

/** Holds a pending delivery whose endpoint is disabled. */
export async function holdDelivery(sql: Queryable, deliveryId: string): Promise<void> {
  await sql`
    UPDATE webhook_deliveries SET status = 'held', next_attempt_at = NULL
    WHERE id = ${deliveryId} AND status = 'pending'`
}

/** Cancels a delivery that is not finished. */
export async function cancelDelivery(sql: Queryable, deliveryId: string): Promise<void> {
  await sql`
    UPDATE webhook_deliveries SET status = 'cancelled', next_attempt_at = NULL
    WHERE id = ${deliveryId} AND status IN ${members(sql, OPEN_DELIVERIES)}`
}
