/** Checks that every event has a delivery to each endpoint that takes it, and that each delivery is under way. */

import { type BooksCheck, eachPage, PAGE, type Page } from './check.js'

interface Missing {
  readonly event_id: string
  readonly endpoint_id: string
  readonly type: string
}

interface Waiting {
  readonly id: string
  readonly late: boolean
}

/**
 * Milliseconds by which an event must be younger than its endpoint's last change. A transaction that began before
 * the change may have read the endpoint as it was.
 */
const SETTLED_MS = 60_000

/** What an endpoint took before its last change is not known, so only later events are compared. */
export const deliveries: BooksCheck = {
  name: 'deliveries',
  async *examine(tx, { merchantId, soonMs }, findings) {
    yield* eachPage(
      '0',
      (after) => tx<Page<string, Missing>[]>`
        WITH page AS MATERIALIZED (
          SELECT id, sequence, type, occurred_at FROM events
          WHERE merchant_id = ${merchantId} AND sequence > ${after}::bigint ORDER BY sequence LIMIT ${PAGE}
        ), endpoint AS MATERIALIZED (
          SELECT id, event_types, ${SETTLED_MS} * interval '1 millisecond' + greatest(created_at, (
                   SELECT max(at) FROM audit_log
                   WHERE merchant_id = ${merchantId} AND subject = webhook_endpoints.id
                     AND action LIKE 'webhook_endpoint.%')) AS since
          FROM webhook_endpoints WHERE merchant_id = ${merchantId} AND status <> 'deleted'
        ), missing AS (
          SELECT page.id AS event_id, endpoint.id AS endpoint_id, page.type, page.sequence
          FROM page JOIN endpoint ON page.occurred_at > endpoint.since
            AND (event_types IS NULL OR '*' = ANY (event_types) OR page.type = ANY (event_types))
          -- Tests go to one endpoint, and news of an endpoint go to the others.
          WHERE page.type NOT LIKE 'webhook%' AND NOT EXISTS (
            SELECT FROM webhook_deliveries delivery
            WHERE delivery.event_id = page.id AND delivery.endpoint_id = endpoint.id)
        )
        SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(sequence)::text FROM page) AS last,
               (SELECT coalesce(jsonb_agg(missing ORDER BY sequence, endpoint_id), '[]') FROM missing) AS found`,
      ({ event_id, endpoint_id, type }) =>
        findings.differ({
          subject: { type: 'event', id: event_id },
          field: 'delivery',
          network: null,
          coin: null,
          expected: endpoint_id,
          actual: null,
          reason: `The event ${type} has no delivery to the endpoint`,
        }),
    )
    // Deliveries of an endpoint that is limited, in turn or not reached wait for as long as that lasts.
    yield* eachPage(
      '',
      (after) => tx<Page<string, Waiting>[]>`
        WITH page AS MATERIALIZED (
          SELECT id, endpoint_id, turn, created_at, restarts, next_attempt_at, workflow_started_at
          FROM webhook_deliveries
          WHERE merchant_id = ${merchantId} AND status = 'pending' AND id > ${after} ORDER BY id LIMIT ${PAGE}
        ), waiting AS (
          SELECT page.id,
                 greatest(page.created_at, page.next_attempt_at) < clock_timestamp() - ${soonMs} * interval '1 millisecond'
                   AND page.turn IS NULL AND endpoint.status = 'active' AND endpoint.max_rate IS NULL
                   AND coalesce(circuit.state, 'closed') = 'closed' AS late
          FROM page JOIN webhook_endpoints endpoint ON endpoint.id = page.endpoint_id
          LEFT JOIN webhook_circuits circuit ON circuit.endpoint_id = page.endpoint_id
          WHERE page.workflow_started_at IS NULL
        )
        SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(id) FROM page) AS last,
               (SELECT coalesce(jsonb_agg(waiting ORDER BY id), '[]') FROM waiting) AS found`,
      ({ id, late }) => {
        const delivery = {
          subject: { type: 'delivery', id },
          field: 'workflow',
          network: null,
          coin: null,
          expected: 'started',
          actual: null,
        }
        if (late) findings.differ({ ...delivery, reason: 'The delivery should have been started by now' })
        else findings.expect({ ...delivery, reason: 'The delivery is not started yet' })
      },
    )
  },
}
