/**
 * Parts of the query for the deliveries to start (`unstartedDeliveries`). It finds the endpoints first, and reads
 * deliveries only of those that take some now. A long queue of an endpoint that takes none costs one probe of an index.
 */

import type { Queryable } from '../../connect.js'

/**
 * Which deliveries to start: those that make an attempt at once, or those that will only wait, because the
 * circuit of their endpoint is not closed. A delivery that a person requested waits for no circuit.
 */
export type UnstartedKind = 'sendable' | 'waiting'

type Fragment = ReturnType<Queryable>

/** Number of earlier events of the object that are checked. Only the last few matter. */
const LOOK_BACK = 8
/** Longest wait for a turn: the time that an attempt may take. */
const TURN_LIMIT_SECONDS = 15
/** Oldest held deliveries that are checked for an earlier turn. Only transactions that overlap mix the order. */
const HELD_LOOK_BACK = 20

/**
 * Returns the queries `in_turn` and `lane`, after `full_endpoint`. The endpoints in turn have released deliveries that
 * take turns, or held ones that are about to be released: their new deliveries wait until the last turn is over. One
 * whose event cannot be sealed, or that cannot be started, keeps no others waiting. The lanes are the endpoints whose
 * other deliveries can be started.
 */
export const endpointsToStart = (sql: Queryable, kind: UnstartedKind) => sql`
  turning AS (${eachEndpoint(
    sql,
    'turning',
    sql`webhook_deliveries delivery JOIN events event ON event.id = delivery.event_id
        WHERE delivery.turn IS NOT NULL AND event.sequence IS NOT NULL
          AND (delivery.start_after IS NULL OR delivery.start_after < clock_timestamp())`,
  )}),
  holding AS (${eachEndpoint(sql, 'holding', sql`webhook_deliveries delivery WHERE delivery.status = 'held'`)}),
  in_turn AS MATERIALIZED (
    SELECT endpoint_id FROM turning WHERE endpoint_id IS NOT NULL
    UNION
    SELECT holding.endpoint_id FROM holding JOIN webhook_endpoints endpoint ON endpoint.id = holding.endpoint_id
    WHERE endpoint.status = 'active'
  ),
  backlog AS (${eachEndpoint(
    sql,
    'backlog',
    sql`webhook_deliveries delivery WHERE ${unstarted(sql)} AND NOT delivery.requested`,
  )}),
  lane AS MATERIALIZED (
    SELECT backlog.endpoint_id FROM backlog JOIN webhook_endpoints endpoint ON endpoint.id = backlog.endpoint_id
    WHERE ${takesSome(sql)}
      AND NOT EXISTS (SELECT FROM in_turn WHERE in_turn.endpoint_id = backlog.endpoint_id)
      AND ${kind === 'waiting'} = EXISTS (
        SELECT FROM webhook_circuits circuit
        WHERE circuit.endpoint_id = backlog.endpoint_id AND circuit.state <> 'closed')
  )`

/**
 * Returns the oldest deliveries of all lanes. The oldest one of each lane shows which lanes can have some of them.
 *
 * @param again - Whether to select those that became pending again, which come last.
 */
export const oldest = (sql: Queryable, again: boolean, most: number) => sql`
  SELECT delivery.*
  FROM (
    SELECT lane.endpoint_id FROM lane
    CROSS JOIN LATERAL (${ofEndpoint(sql, sql`lane.endpoint_id`, again, sql`delivery.created_at`, 1)}) head
    ORDER BY head.created_at LIMIT ${most}
  ) nearest
  CROSS JOIN LATERAL (
    ${ofEndpoint(sql, sql`nearest.endpoint_id`, again, sql`delivery.created_at, event.position`, most)}) delivery`

/** Returns the deliveries that a person requested, and those of replays, which come last. */
export const requested = (sql: Queryable, most: number) => {
  const select = (again: boolean) => sql`
    SELECT ${columns(sql, again)} FROM ${tables(sql)}
    WHERE ${unstarted(sql)} AND delivery.requested AND ${takesSome(sql)} AND ${ready(sql)}
      AND ${again} = EXISTS (SELECT FROM webhook_replay_items WHERE delivery_id = delivery.id AND NOT failed)
    ORDER BY delivery.created_at, event.position LIMIT ${most}`
  return sql`(${select(false)}) UNION ALL (${select(true)})`
}

/**
 * Returns the delivery of each endpoint whose turn has come, if its workflow was not started. One whose workflow was
 * started long ago without a result, or cannot be started now, keeps the others waiting no longer. It waits for a
 * held one of an earlier event, which is about to be released.
 *
 * @param begunSeconds - Time after which a workflow was started long ago.
 */
export const nextInTurn = (sql: Queryable, begunSeconds: number) => sql`
  SELECT ${columns(sql, true)}
  FROM in_turn
  CROSS JOIN LATERAL (
    SELECT released.* FROM webhook_deliveries released
    JOIN events sealed ON sealed.id = released.event_id AND sealed.sequence IS NOT NULL
    WHERE endpoint_id = in_turn.endpoint_id AND turn IS NOT NULL AND status = 'pending'
      AND (workflow_started_at IS NULL
           OR workflow_started_at > clock_timestamp() - make_interval(secs => ${begunSeconds}))
      AND (start_after IS NULL OR start_after < clock_timestamp())
    ORDER BY turn LIMIT 1
  ) delivery
  JOIN events event ON event.id = delivery.event_id
  JOIN webhook_endpoints endpoint ON endpoint.id = delivery.endpoint_id AND endpoint.status = 'active'
  WHERE delivery.workflow_started_at IS NULL
    AND NOT EXISTS (SELECT FROM webhook_circuits circuit
                    WHERE circuit.endpoint_id = delivery.endpoint_id AND circuit.state <> 'closed')
    AND NOT EXISTS (
      SELECT FROM (
        SELECT event_id FROM webhook_deliveries
        WHERE endpoint_id = delivery.endpoint_id AND status = 'held' ORDER BY created_at LIMIT ${HELD_LOOK_BACK}
      ) held
      JOIN events earlier ON earlier.id = held.event_id WHERE earlier.position < delivery.turn)`

/**
 * Returns a recursive query for each endpoint that has a delivery of a partial index, one probe for each, and NULL.
 *
 * @param from - Tables and condition. The index begins with the endpoint.
 */
const eachEndpoint = (sql: Queryable, name: string, from: Fragment) => sql`
  (SELECT delivery.endpoint_id FROM ${from} ORDER BY delivery.endpoint_id LIMIT 1)
  UNION ALL
  SELECT (SELECT delivery.endpoint_id FROM ${from} AND delivery.endpoint_id > ${sql(name)}.endpoint_id
          ORDER BY delivery.endpoint_id LIMIT 1)
  FROM ${sql(name)} WHERE ${sql(name)}.endpoint_id IS NOT NULL`

const unstarted = (sql: Queryable) => sql`
  delivery.workflow_started_at IS NULL AND delivery.status = 'pending' AND delivery.turn IS NULL`

/** The pending deliveries of an endpoint that is not active are held or cancelled without a workflow (`moveDeliveries`). */
const takesSome = (sql: Queryable) => sql`
  endpoint.status = 'active'
  AND NOT EXISTS (SELECT FROM full_endpoint WHERE full_endpoint.endpoint_id = endpoint.id)`

const tables = (sql: Queryable) => sql`
  webhook_deliveries delivery
  JOIN events event ON event.id = delivery.event_id AND event.sequence IS NOT NULL
  JOIN webhook_endpoints endpoint ON endpoint.id = delivery.endpoint_id`

/** Returns the columns of a delivery that can be started. */
const columns = (sql: Queryable, again: boolean) => sql`
  delivery.id, delivery.event_id, delivery.endpoint_id, delivery.merchant_id, event.type, endpoint.url,
  delivery.restarts, delivery.start_failures, delivery.created_at, event.position, ${again}::boolean AS again`

const ofEndpoint = (
  sql: Queryable,
  endpointId: Fragment,
  again: boolean,
  order: Fragment,
  most: number,
) => sql`
  SELECT ${columns(sql, again)} FROM ${tables(sql)}
  WHERE delivery.endpoint_id = ${endpointId} AND ${unstarted(sql)} AND NOT delivery.requested
    AND least(delivery.restarts, 1) = ${again ? 1 : 0} AND ${ready(sql)}
  ORDER BY ${order} LIMIT ${most}`

/**
 * The delivery is not postponed, and the earlier events of its object had their first attempts. Each earlier event is
 * looked up by the key of its delivery. A join could instead begin at the pending deliveries, which seem few while the
 * statistics are from a quiet time, and would then read all of them for each delivery of a burst.
 */
const ready = (sql: Queryable) => sql`
  (delivery.start_after IS NULL OR delivery.start_after < clock_timestamp())
  AND (delivery.attempts > 0
       OR delivery.created_at < clock_timestamp() - make_interval(secs => ${TURN_LIMIT_SECONDS})
       OR NOT EXISTS (
         SELECT FROM (
           SELECT (SELECT before.status = 'pending' AND before.attempts = 0 FROM webhook_deliveries before
                   WHERE before.event_id = earlier.id AND before.endpoint_id = delivery.endpoint_id) AS waits
           FROM events earlier WHERE earlier.subject = event.subject AND earlier.position < event.position
           ORDER BY earlier.position DESC LIMIT ${LOOK_BACK}
         ) turn
         WHERE turn.waits))`
