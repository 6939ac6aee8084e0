/** Lets a delivery wait until the circuit of its endpoint wakes its workflow. */

import type { Queryable } from '../../connect.js'
import { LOST } from './record-attempt.js'

/** What a delivery waits for. */
export interface CircuitWait {
  /** Since when it waits. The signal that wakes its workflow names the same time. */
  readonly since: Date
  /** Since when the circuit is open, or sends what waits. */
  readonly circuitSince: Date
}

/**
 * Records that a delivery waits. The lock on the circuit makes a circuit that closes at this moment see the
 * delivery, or this call see that it is closed. The delivery is locked before the circuit, as by `recordAttempt`.
 *
 * @param lost - Times (ISO 8601) of attempts that ended without a result, which the log shows from now on.
 * @returns `null` if there is nothing to wait for: the circuit has closed, it sends what waits and does not come
 * back to this delivery (`circuitWaiters` would wake it at once, without end), or the delivery has ended.
 */
export async function waitForCircuit(
  sql: Queryable,
  deliveryId: string,
  lost: readonly string[] = [],
): Promise<CircuitWait | null> {
  const [row] = await sql<CircuitWait[]>`
    WITH delivery AS MATERIALIZED (
      SELECT endpoint_id, event_id FROM webhook_deliveries WHERE id = ${deliveryId} AND status = 'pending' FOR UPDATE
    ), circuit AS (
      SELECT circuit.since FROM delivery JOIN events event ON event.id = delivery.event_id
      JOIN webhook_circuits circuit ON circuit.endpoint_id = delivery.endpoint_id
      WHERE circuit.state = 'open'
         OR circuit.state = 'half_open' AND (event.sequence IS NULL OR event.sequence > circuit.drained_to)
      FOR SHARE OF circuit
    ), waiting AS (
      UPDATE webhook_deliveries SET
        circuit_wait_since = date_trunc('milliseconds', clock_timestamp()), next_attempt_at = NULL,
        attempts = attempts + ${lost.length}
      FROM circuit WHERE webhook_deliveries.id = ${deliveryId} AND status = 'pending'
      RETURNING id, attempts, webhook_deliveries.endpoint_id, event_type, circuit_wait_since AS since, circuit.since AS circuit_since
    ), logged AS (
      INSERT INTO webhook_attempts (delivery_id, number, at, status_code, duration_ms, error, endpoint_id, test)
      SELECT id, attempts - ${lost.length} + lost.position::integer, lost.at, NULL, 0, ${LOST}, endpoint_id,
             event_type = 'webhook.test'
      FROM waiting, unnest(${[...lost]}::timestamptz[]) WITH ORDINALITY AS lost (at, position)
    )
    SELECT since, circuit_since AS "circuitSince" FROM waiting`
  return row ?? null
}
