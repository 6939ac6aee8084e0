/**
 * Lists deliveries whose event is sealed and whose workflow was not started, each in its turn. Events of one
 * object within milliseconds could overtake each other on the way, and a receiver that keeps the last status
 * would then end with a wrong one. So the first attempt of a delivery waits for the first attempts of earlier
 * events of the same object.
 */

import type { Queryable } from '../../connect.js'

/** Number of earlier events of the object that are checked. Only the last few matter. */
const LOOK_BACK = 8
/** Longest wait for a turn: the time that an attempt may take. */
const TURN_LIMIT_SECONDS = 15

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
 * Which deliveries to start: those that make an attempt at once, or those that will only wait, because the
 * circuit of their endpoint is not closed. A delivery that a person requested waits for no circuit.
 */
export type UnstartedKind = 'sendable' | 'waiting'

/**
 * Returns the oldest deliveries of a kind whose turn has come, without those of endpoints that have many begun.
 * `recordAttempt` wakes the sealer when another turn comes.
 *
 * Those that became pending again without a person's request for the single one come last, and so does what a replay
 * has requested. They are old and
 * may be many, after a replay, and would keep the new ones of other endpoints waiting. Those that were released
 * when their endpoint was resumed take turns: one at a time by sequence, the next after the attempt of the one before.
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
    WITH RECURSIVE full_endpoint AS MATERIALIZED (${fullEndpoints(sql)}),
    in_turn AS MATERIALIZED (${endpointsInTurn(sql)})
    SELECT * FROM (
      (${oldest(sql, kind, false, most)}) UNION ALL (${oldest(sql, kind, true, most)})
      UNION ALL (${nextInTurn(sql, kind)})
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

/** Returns the columns of a delivery that can be started. */
const columns = (sql: Queryable, again: boolean) => sql`
  delivery.id, delivery.event_id, delivery.endpoint_id, delivery.merchant_id, event.type, endpoint.url,
  delivery.restarts, delivery.start_failures, delivery.created_at, event.position, ${again}::boolean AS again`

/** @param again - Whether to select those that come last. */
const oldest = (sql: Queryable, kind: UnstartedKind, again: boolean, most: number) => sql`
  SELECT ${columns(sql, again)}
  FROM webhook_deliveries delivery
  JOIN events event ON event.id = delivery.event_id AND event.sequence IS NOT NULL
  JOIN webhook_endpoints endpoint ON endpoint.id = delivery.endpoint_id
  WHERE delivery.workflow_started_at IS NULL AND delivery.status = 'pending' AND delivery.turn IS NULL
    AND (delivery.requested
         OR NOT EXISTS (SELECT FROM in_turn WHERE in_turn.endpoint_id = delivery.endpoint_id))
    AND ${again} = CASE
      WHEN delivery.requested
        THEN EXISTS (SELECT FROM webhook_replay_items WHERE delivery_id = delivery.id AND NOT failed)
      ELSE delivery.restarts > 0
    END
    AND ${kind === 'waiting'} = (NOT delivery.requested AND EXISTS (
      SELECT FROM webhook_circuits circuit
      WHERE circuit.endpoint_id = delivery.endpoint_id AND circuit.state <> 'closed'))
    AND NOT EXISTS (SELECT FROM full_endpoint WHERE full_endpoint.endpoint_id = delivery.endpoint_id)
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
  ORDER BY delivery.created_at, event.position LIMIT ${most}`

/**
 * Endpoints with released deliveries that take turns, each found by one probe of the index. Their new deliveries
 * wait until the last turn is over.
 */
const endpointsInTurn = (sql: Queryable) => sql`
  (SELECT endpoint_id FROM webhook_deliveries WHERE turn IS NOT NULL ORDER BY endpoint_id LIMIT 1)
  UNION ALL
  SELECT (SELECT endpoint_id FROM webhook_deliveries
          WHERE turn IS NOT NULL AND endpoint_id > in_turn.endpoint_id ORDER BY endpoint_id LIMIT 1)
  FROM in_turn WHERE in_turn.endpoint_id IS NOT NULL`

/**
 * The delivery of each endpoint whose turn has come, if its workflow was not started. One whose workflow was
 * started long ago without a result, or cannot be started now, keeps the others waiting no longer.
 */
const nextInTurn = (sql: Queryable, kind: UnstartedKind) => sql`
  SELECT ${columns(sql, true)}
  FROM in_turn
  CROSS JOIN LATERAL (
    SELECT released.* FROM webhook_deliveries released
    JOIN events sealed ON sealed.id = released.event_id AND sealed.sequence IS NOT NULL
    WHERE endpoint_id = in_turn.endpoint_id AND turn IS NOT NULL AND status = 'pending'
      AND (workflow_started_at IS NULL
           OR workflow_started_at > clock_timestamp() - make_interval(secs => ${BEGUN_SECONDS}))
      AND (start_after IS NULL OR start_after < clock_timestamp())
    ORDER BY turn LIMIT 1
  ) delivery
  JOIN events event ON event.id = delivery.event_id
  JOIN webhook_endpoints endpoint ON endpoint.id = delivery.endpoint_id
  WHERE ${kind === 'sendable'} AND delivery.workflow_started_at IS NULL
    AND NOT EXISTS (SELECT FROM webhook_circuits circuit
                    WHERE circuit.endpoint_id = delivery.endpoint_id AND circuit.state <> 'closed')`

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
