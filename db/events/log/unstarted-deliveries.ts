/**
 * Lists deliveries whose event is sealed and whose workflow was not started, each in its turn. Events of one
 * object within milliseconds could overtake each other on the way, and a receiver that keeps the last status
 * would then end with a wrong one. So the first attempt of a delivery waits for the first attempts of earlier
 * events of the same object.
 */

import type { Queryable } from '../../connect.js'
import {
  endpointsToStart,
  nextInTurn,
  oldest,
  requested,
  type UnstartedKind,
} from './startable-deliveries.js'

/**
 * Deliveries of one endpoint whose workflow has begun without a result, from which on no further one is started. A
 * burst of events for an endpoint that hangs then keeps no worker from the deliveries of others.
 */
const MOST_BEGUN = 50
/** Time after which a delivery that has begun counts no longer: its workflow is lost or postponed. */
const BEGUN_SECONDS = 60

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

/**
 * Returns the oldest deliveries of a kind whose turn has come, without those of endpoints that have many begun.
 * `recordAttempt` wakes the sealer when another turn comes.
 *
 * Those that became pending again without a person's request for the single one come last, and so does what a replay
 * has requested. They are old and may be many, and would keep the new ones of other endpoints waiting. Those that were
 * released when their endpoint was resumed take turns: one at a time by sequence, the next after the attempt of the one
 * before.
 */
export async function unstartedDeliveries(
  sql: Queryable,
  kind: UnstartedKind,
  most: number,
): Promise<UnstartedDelivery[]> {
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
    WITH RECURSIVE full_endpoint AS MATERIALIZED (${fullEndpoints(sql)}), ${endpointsToStart(sql, kind)}
    SELECT * FROM (
      (${oldest(sql, false, most)}) UNION ALL (${oldest(sql, true, most)})
      ${kind === 'sendable' ? sql`UNION ALL ${requested(sql, most)} UNION ALL (${nextInTurn(sql, BEGUN_SECONDS)})` : sql``}
    ) AS unstarted
    ORDER BY again, created_at, position LIMIT ${most}`
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

/** Returns whether deliveries are left out because their endpoint has many begun. */
export async function anyFullEndpoint(sql: Queryable): Promise<boolean> {
  return (await sql`${fullEndpoints(sql)} LIMIT 1`).length > 0
}

/** Returns how many deliveries have begun that will wait for a circuit. */
export async function countBegunAtCircuits(sql: Queryable): Promise<number> {
  const [row] = await sql<{ begun: number }[]>`
    SELECT count(*)::int AS begun FROM webhook_circuits circuit
    JOIN webhook_deliveries delivery ON delivery.endpoint_id = circuit.endpoint_id AND ${begun(sql)}
    WHERE circuit.state <> 'closed'`
  return row?.begun ?? 0
}

const fullEndpoints = (sql: Queryable) => sql`
  SELECT delivery.endpoint_id FROM webhook_deliveries delivery WHERE ${begun(sql)}
  GROUP BY delivery.endpoint_id HAVING count(*) >= ${MOST_BEGUN}`

const begun = (sql: Queryable) => sql`
  delivery.status = 'pending' AND delivery.attempts = 0 AND delivery.circuit_wait_since IS NULL
  AND delivery.workflow_started_at > clock_timestamp() - make_interval(secs => ${BEGUN_SECONDS})`
