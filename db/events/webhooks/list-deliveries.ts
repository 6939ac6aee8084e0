/** Lists webhook deliveries with their attempts, newest first. */

import type { DeliveryStatus } from '../../../domain/events/delivery-status.js'
import { iso, type Queryable } from '../../connect.js'
import type { Slice } from '../../slice.js'

export interface AttemptRow {
  readonly number: number
  /** ISO 8601 UTC. */
  readonly at: string
  readonly status_code: number | null
  readonly duration_ms: number
  readonly error: string | null
}

export interface DeliveryRow {
  readonly id: string
  readonly event_id: string
  readonly endpoint_id: string
  /** Type of the event. */
  readonly event: string
  readonly status: DeliveryStatus
  readonly next_attempt_at: Date | null
  /** Since when it waits for the circuit of its endpoint. `null` if it does not wait. */
  readonly waiting_since: Date | null
  readonly created_at: Date
  readonly delivered_at: Date | null
  /** Oldest first. */
  readonly attempts: readonly AttemptRow[]
}

export interface DeliveryFilter {
  readonly id?: string | undefined
  readonly endpoint_id?: string | undefined
  readonly event_id?: string | undefined
  readonly event?: string | undefined
  readonly status?: DeliveryStatus | undefined
}

/** Returns the deliveries of a merchant that match every filter. */
export async function listDeliveries(
  sql: Queryable,
  merchantId: string,
  filter: DeliveryFilter,
  slice: Slice,
): Promise<DeliveryRow[]> {
  return sql<DeliveryRow[]>`
    SELECT delivery.id, delivery.event_id, delivery.endpoint_id, event.type AS event, delivery.status,
           CASE WHEN delivery.status = 'pending' AND delivery.circuit_wait_since IS NULL
                THEN coalesce(delivery.next_attempt_at, delivery.created_at) END AS next_attempt_at,
           CASE delivery.status WHEN 'pending' THEN delivery.circuit_wait_since END AS waiting_since,
           delivery.created_at, delivery.delivered_at, made.attempts
    FROM webhook_deliveries delivery
    JOIN events event ON event.id = delivery.event_id
    CROSS JOIN LATERAL (
      SELECT coalesce(json_agg(json_build_object(
        'number', attempt.number, 'at', ${iso(sql, 'attempt.at')},
        'status_code', attempt.status_code, 'duration_ms', attempt.duration_ms, 'error', attempt.error
      ) ORDER BY attempt.number), '[]') AS attempts
      FROM webhook_attempts attempt WHERE attempt.delivery_id = delivery.id
    ) AS made
    WHERE delivery.merchant_id = ${merchantId}
      ${filter.id === undefined ? sql`` : sql`AND delivery.id = ${filter.id}`}
      ${filter.endpoint_id === undefined ? sql`` : sql`AND delivery.endpoint_id = ${filter.endpoint_id}`}
      ${filter.event_id === undefined ? sql`` : sql`AND delivery.event_id = ${filter.event_id}`}
      ${filter.event === undefined ? sql`` : sql`AND event.type = ${filter.event}`}
      ${filter.status === undefined ? sql`` : sql`AND delivery.status = ${filter.status}`}
      ${slice.before === null ? sql`` : sql`AND delivery.id < ${slice.before}`}
    ORDER BY delivery.id DESC LIMIT ${slice.take} OFFSET ${slice.offset}`
}

/** Returns one delivery of a merchant. `null` if there is none. */
export async function getDelivery(
  sql: Queryable,
  merchantId: string,
  id: string,
): Promise<DeliveryRow | null> {
  const [row] = await listDeliveries(sql, merchantId, { id }, { before: null, offset: 0, take: 1 })
  return row ?? null
}
