/** Finds the deliveries whose workflows sleep although the circuit of their endpoint has nothing more to do for them. */

import type { DeliveryStatus } from '../../../domain/events/delivery-status.js'
import type { Queryable } from '../../connect.js'

/** A delivery whose workflow must be woken. */
export interface CircuitWaiter {
  readonly id: string
  readonly event_id: string
  readonly status: DeliveryStatus
  /** Since when the workflow sleeps. */
  readonly since: Date
  /** HTTP status of its last attempt. `null` if there was no answer, or no attempt. */
  readonly status_code: number | null
  /** Reason of the failure of its last attempt. `null` if that succeeded, or none was made. */
  readonly error: string | null
  /** Milliseconds until its next attempt. `null` unless the circuit made one since then, which failed. */
  readonly retry_in_ms: number | null
}

/**
 * Returns deliveries to wake: those that failed while the waiting ones were sent, all others once the circuit
 * is closed, and those that have ended. These come last, because for the first ones a receiver waits. Otherwise
 * the order is that of the events.
 */
export async function circuitWaiters(
  sql: Queryable,
  endpointId: string,
  most: number,
): Promise<CircuitWaiter[]> {
  return sql<CircuitWaiter[]>`
    SELECT delivery.id, delivery.event_id, delivery.status, delivery.circuit_wait_since AS since,
           attempt.status_code, attempt.error,
           CASE WHEN delivery.next_attempt_at IS NOT NULL
                THEN greatest(0, extract(epoch FROM delivery.next_attempt_at - clock_timestamp()) * 1000)::float8
           END AS retry_in_ms
    FROM webhook_deliveries delivery
    JOIN events event ON event.id = delivery.event_id
    LEFT JOIN webhook_circuits circuit ON circuit.endpoint_id = delivery.endpoint_id
    LEFT JOIN LATERAL (
      SELECT status_code, error FROM webhook_attempts WHERE delivery_id = delivery.id ORDER BY number DESC LIMIT 1
    ) attempt ON true
    WHERE delivery.endpoint_id = ${endpointId} AND delivery.circuit_wait_since IS NOT NULL
      AND (delivery.status <> 'pending' OR coalesce(circuit.state, 'closed') = 'closed'
           OR circuit.state = 'half_open' AND event.sequence <= circuit.drained_to)
    ORDER BY delivery.status <> 'pending', event.sequence LIMIT ${most}`
}

/** Records that the workflow of a delivery was woken. A wait that began since then stays. */
export async function markWoken(sql: Queryable, { id, since }: CircuitWaiter): Promise<void> {
  await sql`
    UPDATE webhook_deliveries SET circuit_wait_since = NULL WHERE id = ${id} AND circuit_wait_since = ${since}`
}

/** Starts a delivery again whose workflow is gone, if it is still pending. The sealer starts the workflow. */
export async function restartWaiter(sql: Queryable, { id, since }: CircuitWaiter): Promise<void> {
  await sql`
    WITH restarted AS (
      UPDATE webhook_deliveries
      SET circuit_wait_since = NULL, next_attempt_at = now(), workflow_started_at = NULL, restarts = restarts + 1
      WHERE id = ${id} AND circuit_wait_since = ${since} AND status = 'pending'
    )
    SELECT pg_notify('sealer', '')`
}

/** An endpoint whose circuit's workflow must act. */
export interface LateCircuit {
  readonly id: string
  readonly merchantId: string
  readonly url: string
}

/** Returns endpoints whose circuit's workflow is late: it was never started, or it is gone. */
export async function lateCircuits(sql: Queryable, graceMs: number, most: number): Promise<LateCircuit[]> {
  return sql<LateCircuit[]>`
    SELECT endpoint.id, endpoint.merchant_id AS "merchantId", endpoint.url FROM webhook_endpoints endpoint
    WHERE endpoint.id IN (
      SELECT endpoint_id FROM webhook_circuits
      WHERE state <> 'closed' AND due_at < clock_timestamp() - ${graceMs} * interval '1 millisecond'
      UNION
      SELECT delivery.endpoint_id FROM webhook_deliveries delivery
      LEFT JOIN webhook_circuits circuit ON circuit.endpoint_id = delivery.endpoint_id
      WHERE delivery.circuit_wait_since < clock_timestamp() - ${graceMs} * interval '1 millisecond'
        AND coalesce(circuit.state, 'closed') = 'closed'
    ) LIMIT ${most}`
}
