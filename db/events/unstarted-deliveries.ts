/** Deliveries whose event is sealed and whose workflow was not started yet. */

import type { Queryable } from '../connect.js'

/** Taken at a time. */
const BATCH = 200

/** What a delivery's workflow is started with. */
export interface UnstartedDelivery {
  readonly id: string
  readonly eventId: string
  readonly endpointId: string
  readonly merchantId: string
  /** For the operator: event type and host. */
  readonly title: string
  /** True when it was made pending again, so that its workflow may be running or closing at this moment. */
  readonly resumed: boolean
  /** How often it was; see `markDeliveriesStarted`. */
  readonly restarts: number
}

/** The oldest of them, ready to be started. */
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
    }[]
  >`
    SELECT delivery.id, delivery.event_id, delivery.endpoint_id, delivery.merchant_id, event.type, endpoint.url,
           delivery.restarts
    FROM webhook_deliveries delivery
    JOIN events event ON event.id = delivery.event_id AND event.sequence IS NOT NULL
    JOIN webhook_endpoints endpoint ON endpoint.id = delivery.endpoint_id
    WHERE delivery.workflow_started_at IS NULL AND delivery.status = 'pending'
    ORDER BY delivery.created_at, event.position LIMIT ${BATCH}`
  return rows.map((row) => ({
    id: row.id,
    eventId: row.event_id,
    endpointId: row.endpoint_id,
    merchantId: row.merchant_id,
    title: `${row.type} to ${new URL(row.url).host}`,
    resumed: row.restarts > 0,
    restarts: row.restarts,
  }))
}
