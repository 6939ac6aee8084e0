/** Reserves the time of an attempt at an endpoint that limits how many a second it gets. */

import type { Queryable } from '../../connect.js'

/** Lateness up to which a reserved time still holds. */
export const LATE_MS = 100

/**
 * Reserves the next free time at the endpoint of a delivery, unless the delivery has one that has not passed. The
 * row of the endpoint is the same for all workers, so together they keep to its limit.
 *
 * @returns Milliseconds until then. 0 if the endpoint has no limit.
 */
export async function takeSlot(sql: Queryable, deliveryId: string): Promise<number> {
  const [row] = await sql<{ ms: number }[]>`SELECT take_webhook_slot(${deliveryId}, ${LATE_MS}) AS ms`
  return row?.ms ?? 0
}
