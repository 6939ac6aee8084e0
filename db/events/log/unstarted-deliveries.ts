/**
 * Lists deliveries whose event is sealed and whose workflow was not started, each in its turn. Events of one
 * object within milliseconds could overtake each other on the way, and a receiver that keeps the last status
 * would then end with a wrong one. So the first attempt of a delivery waits for the first attempts of earlier
 * events of the same object.
 */

import type { Queryable } from '../../connect.js'

/** Deliveries that one call returns. Fewer mean that no other one's turn has come. */
export const UNSTARTED_BATCH = 200
/** Number of earlier events of the object that are checked. Only the last few matter. */
const LOOK_BACK = 8
/** Longest wait for a turn: the time that an attempt may take. */
const TURN_LIMIT_SECONDS = 15

/** Input of a delivery's workflow. */
export interface UnstartedDelivery {
  readonly id: string
  readonly eventId: string
  readonly endpointId: string
  readonly merchantId: string
  /** Title that operators see: event type and host. */
  readonly title: string
  /** Whether it became pending again, so that its workflow may be running or closing now. */
  readonly resumed: boolean
  /** Number of times that it became pending again. See `markDeliveriesStarted`. */
  readonly restarts: number
  /** Number of failed starts of its workflow. */
  readonly failures: number
}

/** Returns the oldest deliveries whose turn has come. `recordAttempt` wakes the sealer when another turn comes. */
export async function unstartedDeliveries(sql: Queryable): Promise<UnstartedDelivery[]> {
  const rows = await sql<
    {
      id: string
      event_id: string
      endpoint_id: string
      merchant_id: string
      type: string
      url: string
      restarts: number
      start_failures: number
    }[]
  >`
    SELECT delivery.id, delivery.event_id, delivery.endpoint_id, delivery.merchant_id, event.type, endpoint.url,
           delivery.restarts, delivery.start_failures
    FROM webhook_deliveries delivery
    JOIN events event ON event.id = delivery.event_id AND event.sequence IS NOT NULL
    JOIN webhook_endpoints endpoint ON endpoint.id = delivery.endpoint_id
    WHERE delivery.workflow_started_at IS NULL AND delivery.status = 'pending'
      AND (delivery.start_after IS NULL OR delivery.start_after < clock_timestamp())
      AND (delivery.attempts > 0
           OR delivery.created_at < clock_timestamp() - make_interval(secs => ${TURN_LIMIT_SECONDS})
           OR NOT EXISTS (
             SELECT FROM (
               SELECT id FROM events WHERE subject = event.subject AND position < event.position
               ORDER BY position DESC LIMIT ${LOOK_BACK}
             ) earlier
             JOIN webhook_deliveries before ON before.event_id = earlier.id AND before.endpoint_id = delivery.endpoint_id
             WHERE before.status = 'pending' AND before.attempts = 0))
    ORDER BY delivery.created_at, event.position LIMIT ${UNSTARTED_BATCH}`
  return rows.map((row) => ({
    id: row.id,
    eventId: row.event_id,
    endpointId: row.endpoint_id,
    merchantId: row.merchant_id,
    title: `${row.type} to ${URL.canParse(row.url) ? new URL(row.url).host : 'an address that is no URL'}`,
    resumed: row.restarts > 0,
    restarts: row.restarts,
    failures: row.start_failures,
  }))
}
