/** Stores the result of an attempt and the delivery's new status in one statement. */

import {
  type CircuitTimes,
  FAILURES_TO_OPEN,
  FAILURES_TO_OPEN_AGAIN,
} from '../../../domain/events/circuit.js'
import type { DeliveryStatus } from '../../../domain/events/delivery-status.js'
import { OPEN_DELIVERIES } from '../../../domain/events/delivery-status.js'
import type { FailureClass } from '../../../domain/events/failure-class.js'
import type { Queryable } from '../../connect.js'
import { members } from '../../members.js'

export interface AttemptRecord {
  readonly deliveryId: string
  readonly at: Date
  readonly statusCode: number | null
  readonly durationMs: number
  /** Reason of the failure. `null` for a 2xx, which delivers. */
  readonly error: string | null
  /**
   * Class of the failure. `null` for a 2xx, and for a failure of the platform itself, which says nothing about the
   * endpoint.
   */
  readonly failureClass: FailureClass | null
  /** First kilobyte of the answer, redacted. `null` if there was none. */
  readonly answer: string | null
  /** Time of the next attempt. `null` for the last attempt, whose failure exhausts the delivery. */
  readonly nextAttemptAt: Date | null
  /** `restarts` of the delivery when the attempt began. If it has grown since, the delivery stays pending. */
  readonly restarts: number
  /** Times (ISO 8601) of earlier attempts whose worker died before it stored their result. */
  readonly lost: readonly string[]
  /**
   * Durations of the endpoint's circuit, which counts the result. Absent for an attempt without a result, which
   * says nothing about the endpoint.
   */
  readonly circuit?: CircuitTimes
  /**
   * Whether the circuit made the attempt while the delivery's own workflow sleeps, which must then be woken.
   */
  readonly byCircuit?: boolean
}

/** Result of recording an attempt. */
export interface RecordedAttempt {
  readonly status: DeliveryStatus
  /** Whether this call stored the attempt. */
  readonly written: boolean
  /** Move of the endpoint's circuit, whose workflow must then act. `null` if it did not move. */
  readonly circuit: 'opened' | 'recovered' | null
}

/** Error of an attempt that has no result of its own. */
export const LOST = 'No result was recorded: the worker stopped during the attempt'

/**
 * Adds the attempt to the log and moves the delivery. A delivery that became held meanwhile and succeeded is
 * delivered. A cancelled one stays cancelled. An attempt that is stored twice counts once. A first attempt
 * passes the turn to the next event of the same object, and that of a released delivery to the next released one
 * (`unstartedDeliveries`). The result counts on the
 * endpoint's circuit in the same transaction.
 *
 * @returns `null` if there is no such delivery.
 */
export async function recordAttempt(sql: Queryable, record: AttemptRecord): Promise<RecordedAttempt | null> {
  const delivered = record.error === null
  const last = record.nextAttemptAt === null
  const { circuit, byCircuit = false } = record
  const [row] = await sql<RecordedAttempt[]>`
    WITH moved AS (
      UPDATE webhook_deliveries SET
        attempts = attempts + 1 + ${record.lost.length},
        status = CASE WHEN ${delivered} AND status IN ${members(sql, OPEN_DELIVERIES)} THEN 'delivered'
                      WHEN ${!delivered && last} AND status = 'pending' AND restarts = ${record.restarts} THEN 'exhausted'
                      ELSE status END,
        delivered_at = CASE WHEN ${delivered} AND status IN ${members(sql, OPEN_DELIVERIES)} THEN now() ELSE delivered_at END,
        next_attempt_at = CASE WHEN status = 'pending' AND ${!delivered} AND restarts <> ${record.restarts} THEN next_attempt_at
                               WHEN status = 'pending' AND ${!delivered} THEN ${record.nextAttemptAt}::timestamptz END,
        failure_classes = CASE WHEN ${record.failureClass}::text = ANY (failure_classes) THEN failure_classes
                               ELSE failure_classes || ${record.failureClass === null ? [] : [record.failureClass]}::text[] END,
        circuit_wait_since = CASE WHEN ${byCircuit} THEN circuit_wait_since END,
        requested = requested AND restarts <> ${record.restarts},
        turn = CASE WHEN restarts <> ${record.restarts} THEN turn END
      WHERE id = ${record.deliveryId}
        AND NOT EXISTS (SELECT 1 FROM webhook_attempts WHERE delivery_id = ${record.deliveryId} AND at = ${record.at})
      RETURNING id, status, attempts, event_id, endpoint_id, event_type
    ), logged AS (
      INSERT INTO webhook_attempts
        (delivery_id, number, at, status_code, duration_ms, error, failure_class, response, endpoint_id, test)
      SELECT id, attempts, ${record.at}, ${record.statusCode}::integer, ${record.durationMs}::integer, ${record.error}::text,
             ${record.failureClass}::text, ${record.answer}::text, endpoint_id, event_type = 'webhook.test'
      FROM moved
      UNION ALL
      SELECT id, attempts - ${record.lost.length} + lost.position::integer - 1, lost.at, NULL, 0, ${LOST}, NULL, NULL,
             endpoint_id, event_type = 'webhook.test'
      FROM moved, unnest(${[...record.lost]}::timestamptz[]) WITH ORDINALITY AS lost (at, position)
    ), next AS (
      SELECT pg_notify('sealer', '')
      FROM moved JOIN events event ON event.id = moved.event_id
      WHERE moved.attempts = 1 + ${record.lost.length} AND EXISTS (
        SELECT FROM events later
        JOIN webhook_deliveries waiting ON waiting.event_id = later.id AND waiting.endpoint_id = moved.endpoint_id
        WHERE later.subject = event.subject AND later.position > event.position
          AND waiting.workflow_started_at IS NULL AND waiting.status = 'pending')
        OR EXISTS (SELECT FROM webhook_deliveries released
                   WHERE released.endpoint_id = moved.endpoint_id AND released.turn IS NOT NULL)
    )
    SELECT moved.status, true AS written, ${
      circuit === undefined
        ? sql`NULL::text`
        : sql`count_on_circuit(moved.endpoint_id, moved.id, event.sequence, ${!delivered}, ${FAILURES_TO_OPEN},
            ${circuit.spanMs}, ${circuit.intervalMs}, ${FAILURES_TO_OPEN_AGAIN})`
    } AS circuit
    FROM moved JOIN events event ON event.id = moved.event_id LEFT JOIN next ON true
    UNION ALL
    SELECT status, false, NULL FROM webhook_deliveries WHERE id = ${record.deliveryId} AND NOT EXISTS (SELECT 1 FROM moved)`
  return row ?? null
}
