/** Lists webhook deliveries with their attempts, newest first. */

import type { DeliveryStatus } from '../../../domain/events/delivery-status.js'
import type { FailureClass } from '../../../domain/events/failure-class.js'
import { iso, type Queryable } from '../../connect.js'
import { members } from '../../members.js'
import type { Slice } from '../../slice.js'

export interface AttemptRow {
  readonly number: number
  /** ISO 8601 UTC. */
  readonly at: string
  readonly status_code: number | null
  readonly duration_ms: number
  readonly error: string | null
  readonly failure_class: FailureClass | null
  /** First kilobyte of the answer, redacted. */
  readonly answer: string | null
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
  /** Oldest first. A list has the newest ones alone. */
  readonly attempts: readonly AttemptRow[]
}

export interface DeliveryFilter {
  readonly id?: string | undefined
  readonly endpoint_id?: string | undefined
  readonly event_id?: string | undefined
  readonly event?: string | undefined
  readonly status?: DeliveryStatus | undefined
  /** Payment that the event names. */
  readonly payment_id?: string | undefined
  /** Class of at least one attempt. */
  readonly failure_class?: FailureClass | undefined
  /** Earliest time of creation. */
  readonly from_date?: Date | undefined
  /** Time before which it was created. */
  readonly to_date?: Date | undefined
}

/** The set of each class alone, so that its name stands in the SQL: each class has a partial index. */
const ONLY: Readonly<Record<FailureClass, Readonly<Record<string, boolean>>>> = {
  unreachable: { unreachable: true },
  timeout: { timeout: true },
  endpoint_error: { endpoint_error: true },
  signature_rejected: { signature_rejected: true },
  contract_rejected: { contract_rejected: true },
  redirect: { redirect: true },
  blocked: { blocked: true },
}

/** Attempts of each delivery that a list shows: a delivery may have hundreds, with a kilobyte each. */
const LISTED_ATTEMPTS = 10

/**
 * Returns the deliveries of a merchant that match every filter, the newest first, each with its newest attempts. A page goes on after a delivery by
 * its time and id, which an index for each filter has.
 *
 * @param mostAttempts - Most attempts of each delivery. `null` for all.
 */
export async function listDeliveries(
  sql: Queryable,
  merchantId: string,
  filter: DeliveryFilter,
  slice: Slice,
  mostAttempts: number | null = LISTED_ATTEMPTS,
): Promise<DeliveryRow[]> {
  const { from_date: from, to_date: to } = filter
  return sql<DeliveryRow[]>`
    SELECT delivery.id, delivery.event_id, delivery.endpoint_id, event.type AS event, delivery.status,
           CASE WHEN delivery.status = 'pending' AND delivery.circuit_wait_since IS NULL
                THEN coalesce(delivery.next_attempt_at, delivery.created_at) END AS next_attempt_at,
           CASE delivery.status WHEN 'pending' THEN delivery.circuit_wait_since END AS waiting_since,
           delivery.created_at, delivery.delivered_at, made.attempts
    FROM (
      SELECT * FROM webhook_deliveries each
      WHERE each.merchant_id = ${merchantId}
        ${filter.id === undefined ? sql`` : sql`AND each.id = ${filter.id}`}
        ${filter.endpoint_id === undefined ? sql`` : sql`AND each.endpoint_id = ${filter.endpoint_id}`}
        ${filter.event_id === undefined ? sql`` : sql`AND each.event_id = ${filter.event_id}`}
        ${filter.event === undefined ? sql`` : sql`AND each.event_type = ${filter.event}`}
        ${filter.status === undefined ? sql`` : sql`AND each.status = ${filter.status}`}
        ${filter.payment_id === undefined ? sql`` : sql`AND each.payment_id = ${filter.payment_id}`}
        ${
          filter.failure_class === undefined
            ? sql``
            : sql`AND each.failure_classes @> ARRAY[${members(sql, ONLY[filter.failure_class])}]`
        }
        ${
          // Of one endpoint, the index of all of its failures serves each class.
          filter.failure_class === undefined || filter.endpoint_id === undefined
            ? sql``
            : sql`AND each.failure_classes <> '{}'`
        }
        ${from === undefined ? sql`` : sql`AND each.created_at >= ${from}`}
        ${to === undefined ? sql`` : sql`AND each.created_at < ${to}`}
        ${
          slice.before === null
            ? sql``
            : sql`AND (each.created_at, each.id) < (
                SELECT created_at, id FROM webhook_deliveries WHERE merchant_id = ${merchantId} AND id = ${slice.before})`
        }
      ORDER BY each.created_at DESC, each.id DESC LIMIT ${slice.take} OFFSET ${slice.offset}
    ) delivery
    JOIN events event ON event.id = delivery.event_id
    CROSS JOIN LATERAL (
      SELECT coalesce(json_agg(json_build_object(
        'number', attempt.number, 'at', ${iso(sql, 'attempt.at')},
        'status_code', attempt.status_code, 'duration_ms', attempt.duration_ms, 'error', attempt.error,
        'failure_class', attempt.failure_class, 'answer', attempt.response
      ) ORDER BY attempt.number), '[]') AS attempts
      FROM (
        SELECT * FROM webhook_attempts newest WHERE newest.delivery_id = delivery.id
        ORDER BY newest.number DESC LIMIT ${mostAttempts}
      ) attempt
    ) AS made
    ORDER BY delivery.created_at DESC, delivery.id DESC`
}

/** Returns one delivery of a merchant with all of its attempts. `null` if there is none. */
export async function getDelivery(
  sql: Queryable,
  merchantId: string,
  id: string,
): Promise<DeliveryRow | null> {
  const [row] = await listDeliveries(sql, merchantId, { id }, { before: null, offset: 0, take: 1 }, null)
  return row ?? null
}
