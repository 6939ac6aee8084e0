/** Records many events and their deliveries in the transaction of the changes that they tell of, in one round trip. */

import type { Transaction } from '../connect.js'
import { newId } from '../new-id.js'
import type { NewEvent } from './append-event.js'

/**
 * As `appendEvent`, for many; their order is kept.
 *
 * @returns The events' ids in the same order.
 */
export async function appendEvents(tx: Transaction, events: readonly NewEvent[]): Promise<string[]> {
  if (events.length === 0) return []
  const ids = events.map(() => newId('evt'))
  await tx`
    WITH event AS (
      INSERT INTO events (id, merchant_id, type, subject, occurred_at, data)
      SELECT each.id, each.merchant_id, each.type, each.subject, clock_timestamp(), each.data::jsonb
      FROM unnest(
        ${ids}::text[], ${events.map((event) => event.merchantId)}::text[], ${events.map((event) => event.type)}::text[],
        ${events.map((event) => event.subject)}::text[], ${events.map((event) => JSON.stringify(event.data))}::text[]
      ) WITH ORDINALITY AS each (id, merchant_id, type, subject, data, position)
      ORDER BY each.position
      RETURNING id, merchant_id, type
    ), delivery AS (
      INSERT INTO webhook_deliveries (id, merchant_id, event_id, endpoint_id, format, status)
      SELECT 'whd_' || substr(event.id, 5) || '_' || substr(endpoint.id, 5), event.merchant_id, event.id, endpoint.id,
             endpoint.format, CASE endpoint.status WHEN 'active' THEN 'pending' ELSE 'held' END
      FROM event JOIN webhook_endpoints endpoint ON endpoint.merchant_id = event.merchant_id
      WHERE endpoint.status <> 'deleted'
        AND (endpoint.event_types IS NULL OR '*' = ANY (endpoint.event_types) OR event.type = ANY (endpoint.event_types))
    )
    SELECT pg_notify('sealer', '')`
  return ids
}
