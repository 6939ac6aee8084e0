/** Records events and their deliveries in one round trip, in the transaction of the changes that they report. */

import type { EventType } from '../../../domain/events/event.js'
import { NEWEST_SCHEMA_VERSION } from '../../../domain/events/schema-version.js'
import type { Transaction } from '../../connect.js'
import { newId } from '../../new-id.js'

export interface NewEvent {
  readonly merchantId: string
  readonly type: EventType
  /** Id of the object that the event concerns. */
  readonly subject: string
  /** Full snapshot for `data`. JSON only, with amounts as decimal strings. */
  readonly data: Readonly<Record<string, unknown>>
  /** Ids of endpoints that do not receive the event. `GET /events` lists it all the same. */
  readonly notTo?: readonly string[]
}

/**
 * Inserts the events in order, and a delivery for every endpoint of the merchant that subscribes to them
 * (`held` unless the endpoint is active). The commit wakes the sealer, which then assigns sequence and body.
 *
 * @returns The ids of the events, in the same order.
 */
export async function appendEvents(tx: Transaction, events: readonly NewEvent[]): Promise<string[]> {
  if (events.length === 0) return []
  const ids = events.map(() => newId('evt'))
  const excluded = events.flatMap(({ notTo = [] }, index) =>
    notTo.map((endpointId) => ({ id: ids[index] ?? '', endpointId })),
  )
  await tx`
    WITH event AS (
      INSERT INTO events (id, merchant_id, type, subject, occurred_at, data)
      SELECT each.id, each.merchant_id, each.type, each.subject, clock_timestamp(), each.data::jsonb
      FROM unnest(
        ${ids}::text[], ${events.map((event) => event.merchantId)}::text[], ${events.map((event) => event.type)}::text[],
        ${events.map((event) => event.subject)}::text[], ${events.map((event) => JSON.stringify(event.data))}::text[]
      ) WITH ORDINALITY AS each (id, merchant_id, type, subject, data, position)
      ORDER BY each.position
      RETURNING id, merchant_id, type, data
    ), excluded AS (
      SELECT * FROM unnest(${excluded.map((each) => each.id)}::text[], ${excluded.map((each) => each.endpointId)}::text[])
        AS excluded (event_id, endpoint_id)
    ), delivery AS (
      INSERT INTO webhook_deliveries
        (id, merchant_id, event_id, endpoint_id, format, schema_version, status, event_type, payment_id)
      SELECT 'whd_' || substr(event.id, 5) || '_' || substr(endpoint.id, 5), event.merchant_id, event.id, endpoint.id,
             endpoint.format, nullif(endpoint.schema_version, ${NEWEST_SCHEMA_VERSION}),
             CASE endpoint.status WHEN 'active' THEN 'pending' ELSE 'held' END,
             event.type, event.data ->> 'payment_id'
      FROM event JOIN webhook_endpoints endpoint ON endpoint.merchant_id = event.merchant_id
      WHERE endpoint.status <> 'deleted'
        AND (endpoint.event_types IS NULL OR '*' = ANY (endpoint.event_types) OR event.type = ANY (endpoint.event_types))
        AND NOT EXISTS (
          SELECT 1 FROM excluded WHERE excluded.event_id = event.id AND excluded.endpoint_id = endpoint.id)
    )
    SELECT pg_notify('sealer', 'events')`
  return ids
}
