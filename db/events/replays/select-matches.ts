/** Selects the events of a replay: a slice of its window, and what its mode takes of it. */

import type { Queryable } from '../../connect.js'

/**
 * The place in a window that was reached. `at` is the text of PostgreSQL, because a `Date` has no microseconds. For the
 * same reason it is passed as text, which the driver leaves alone.
 */
export interface Reached {
  readonly at: string
  readonly id: string
}

/** Events that one statement examines. It bounds the time that a replay with few matches holds its locks. */
export const SLICE = 1_000

/**
 * Returns two named queries, to stand after `WITH`: `slice` has the next events of the window of a replay, and
 * `matching` those of them that the replay sends, each with the state of its delivery. `replay` is a named query that
 * stands before them and has the row.
 *
 * `ready` marks a delivery that is about to be sent without the replay: its first attempt is due, or the circuit of the
 * endpoint is sending what waited. `done` marks one that failed and was accepted since the replay began.
 *
 * Tests are left out, unless they are requested by name and were made for this endpoint.
 *
 * @param size - Most events of the slice.
 */
export const selectMatches = (sql: Queryable, reached: Reached | null, size = SLICE) => sql`
  slice AS MATERIALIZED (
    SELECT event.id, event.merchant_id, event.type, event.subject, event.sequence, event.occurred_at
    FROM events event
    WHERE event.merchant_id = (SELECT merchant_id FROM replay)
      AND event.occurred_at >= ${reached === null ? sql`(SELECT since FROM replay)` : sql`${reached.at}::text::timestamptz`}
      AND event.occurred_at < (SELECT until FROM replay)
      ${reached === null ? sql`` : sql`AND (event.occurred_at, event.id) > (${reached.at}::text::timestamptz, ${reached.id})`}
    ORDER BY event.occurred_at, event.id LIMIT ${size}
  ), matching AS (
    SELECT slice.*, delivery.id AS delivery_id, coalesce(delivery.attempts, 0) AS attempts,
           delivery.status = 'delivered' AND replay.mode = 'failed' AS done,
           delivery.status = 'pending' AND CASE
             WHEN delivery.circuit_wait_since IS NULL THEN delivery.attempts = 0
             ELSE circuit.state = 'half_open' AND slice.sequence > circuit.drained_to AND NOT delivery.requested
           END AS ready
    FROM slice CROSS JOIN replay
    LEFT JOIN webhook_circuits circuit ON circuit.endpoint_id = replay.endpoint_id
    LEFT JOIN webhook_deliveries delivery ON delivery.event_id = slice.id AND delivery.endpoint_id = replay.endpoint_id
    WHERE slice.sequence IS NOT NULL
      AND (slice.type <> 'webhook.test' AND replay.event_types IS NULL OR slice.type = ANY (replay.event_types))
      AND (slice.type <> 'webhook.test' OR slice.subject = replay.endpoint_id)
      AND CASE replay.mode
            WHEN 'all' THEN true
            WHEN 'missing' THEN delivery.id IS NULL
            ELSE (delivery.status <> 'delivered' OR delivery.delivered_at >= replay.created_at) AND EXISTS (
              SELECT FROM webhook_attempts WHERE delivery_id = delivery.id AND error IS NOT NULL)
          END
  )`
