/** Moves the circuit of an endpoint where no attempt does: it closes, or its next probe comes sooner or later. */

import { inTransaction, type Queryable, type Sql, type Transaction } from '../../connect.js'
import { clearAlerts } from '../../operations/alerts/raise-alert.js'

/**
 * Closes the circuit, unless a pending delivery comes after a sequence.
 *
 * @param after - Sequence up to which every delivery was sent. `null` closes it in any case.
 * @returns Whether the circuit is closed now.
 */
export async function closeCircuit(sql: Sql, endpointId: string, after: bigint | null): Promise<boolean> {
  return inTransaction(sql, async (tx) => {
    // Two statements, so that the second sees the deliveries that began to wait before the lock was free.
    const [circuit] = await tx<{ state: string }[]>`
      SELECT state FROM webhook_circuits WHERE endpoint_id = ${endpointId} FOR UPDATE`
    if (!circuit || circuit.state === 'closed') return true
    const closed = await tx`
      UPDATE webhook_circuits
      SET state = 'closed', since = clock_timestamp(), failures = '{}', probes = 0, refusals = 0
      WHERE endpoint_id = ${endpointId} AND (${after}::bigint IS NULL OR NOT EXISTS (
        SELECT FROM webhook_deliveries delivery JOIN events event ON event.id = delivery.event_id
        WHERE delivery.endpoint_id = ${endpointId} AND delivery.status = 'pending' AND NOT delivery.requested
          AND event.sequence > ${after}))`
    if (closed.count === 0) return false
    await clearAlert(tx, endpointId)
    return true
  })
}

/** Closes the circuit of an endpoint that was disabled or deleted, whose deliveries wait for nothing now. */
export async function resetCircuit(tx: Transaction, endpointId: string): Promise<void> {
  await tx`
    UPDATE webhook_circuits
    SET state = 'closed', since = clock_timestamp(), failures = '{}', probes = 0, refusals = 0
    WHERE endpoint_id = ${endpointId}`
  await clearAlert(tx, endpointId)
}

/** Makes the next probe due now, with the oldest delivery: the endpoint has changed. */
export async function probeSoon(tx: Transaction, endpointId: string): Promise<void> {
  await tx`
    UPDATE webhook_circuits SET due_at = clock_timestamp(), probes = 0
    WHERE endpoint_id = ${endpointId} AND state = 'open'`
}

/** Plans the next probe after one that failed. @param answered - Whether the endpoint answered the probe. */
export async function planProbe(
  sql: Queryable,
  endpointId: string,
  answered: boolean,
  intervalMs: number,
): Promise<void> {
  await sql`
    UPDATE webhook_circuits SET
      probes = probes + ${answered ? 1 : 0}, due_at = clock_timestamp() + ${intervalMs} * interval '1 millisecond'
    WHERE endpoint_id = ${endpointId} AND state = 'open'`
}

/** Leaves out a delivery that cannot be sent for a reason of our own, so that it does not keep the others waiting. */
export async function skipDelivery(sql: Queryable, endpointId: string, sequence: bigint): Promise<void> {
  await sql`
    UPDATE webhook_circuits SET drained_to = greatest(drained_to, ${sequence})
    WHERE endpoint_id = ${endpointId} AND state = 'half_open'`
}

/** Records that the workflow of a half-open circuit works, so that the sweeper need not start it. */
export async function touchCircuit(sql: Queryable, endpointId: string): Promise<void> {
  await sql`
    UPDATE webhook_circuits SET due_at = clock_timestamp() WHERE endpoint_id = ${endpointId} AND state = 'half_open'`
}

async function clearAlert(tx: Transaction, endpointId: string): Promise<void> {
  const [endpoint] = await tx<{ merchant_id: string }[]>`
    SELECT merchant_id FROM webhook_endpoints WHERE id = ${endpointId}`
  if (endpoint) await clearAlerts(tx, endpoint.merchant_id, 'webhook_endpoint.circuit_open', [endpointId])
}
