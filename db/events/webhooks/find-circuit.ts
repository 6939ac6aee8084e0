/** Finds the circuit of an endpoint, and the deliveries that it may send. */

import type { CircuitState } from '../../../domain/events/circuit.js'
import type { Queryable } from '../../connect.js'
import type { EndpointRow } from './endpoint-row.js'

export interface CircuitRow {
  readonly merchant_id: string
  readonly endpoint_status: EndpointRow['status']
  readonly url: string
  readonly state: CircuitState
  /** Since when it is in this state. */
  readonly since: Date
  /** Failed probes that the endpoint answered, since the circuit opened. */
  readonly probes: number
  /** Sequence of the last delivery that failed while the waiting ones were sent. 0 if none has. */
  readonly drained_to: bigint
  /** Time at which its workflow acts next. */
  readonly due_at: Date
  /** Whether a pending delivery is older than the state. */
  readonly backlog: boolean
}

/** Returns the circuit of an endpoint, closed if it has no row. `null` if there is no such endpoint. */
export async function findCircuit(sql: Queryable, endpointId: string): Promise<CircuitRow | null> {
  const [row] = await sql<CircuitRow[]>`
    SELECT endpoint.merchant_id, endpoint.status AS endpoint_status, endpoint.url,
           coalesce(circuit.state, 'closed') AS state, coalesce(circuit.since, endpoint.created_at) AS since,
           coalesce(circuit.probes, 0) AS probes, coalesce(circuit.drained_to, 0) AS drained_to,
           coalesce(circuit.due_at, now()) AS due_at,
           EXISTS (SELECT FROM webhook_deliveries
                   WHERE endpoint_id = endpoint.id AND status = 'pending' AND NOT requested
                     AND created_at < circuit.since) AS backlog
    FROM webhook_endpoints endpoint LEFT JOIN webhook_circuits circuit ON circuit.endpoint_id = endpoint.id
    WHERE endpoint.id = ${endpointId}`
  return row ?? null
}

/** Returns whether an endpoint has a circuit: an attempt at it has failed once. */
export async function hasCircuit(sql: Queryable, endpointId: string): Promise<boolean> {
  return (await sql`SELECT 1 FROM webhook_circuits WHERE endpoint_id = ${endpointId}`).length > 0
}

/** A delivery that a circuit may send. */
export interface SendableDelivery {
  readonly id: string
  /** Sequence of its event. */
  readonly sequence: bigint
}

/**
 * Returns the pending deliveries of an endpoint whose events come after a sequence, in their order. Those that a person
 * has requested are left to their own workflows, which send them now: no other may send them at the same time.
 */
export async function pendingInOrder(
  sql: Queryable,
  endpointId: string,
  after: bigint,
  most: number,
  skip = 0,
): Promise<SendableDelivery[]> {
  return sql<SendableDelivery[]>`
    SELECT delivery.id, event.sequence
    FROM webhook_deliveries delivery JOIN events event ON event.id = delivery.event_id
    WHERE delivery.endpoint_id = ${endpointId} AND delivery.status = 'pending' AND NOT delivery.requested
      AND event.sequence > ${after}
    ORDER BY event.sequence LIMIT ${most} OFFSET ${skip}`
}
