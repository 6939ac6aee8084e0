/** Records an event and its deliveries in the transaction of the change that it tells of. */

import type { EventType } from '../../domain/event.js'
import type { Transaction } from '../connect.js'
import { newId } from '../new-id.js'

export interface NewEvent {
  readonly merchantId: string
  readonly type: EventType
  /** Id of the object it is about. */
  readonly subject: string
  /** The full snapshot that goes into `data`. JSON only: amounts as decimal strings. */
  readonly data: Readonly<Record<string, unknown>>
}

/**
 * Inserts the event and a delivery for every endpoint of the merchant that wants it (`held` where the endpoint is
 * disabled), and wakes the sealer at commit. Sequence and body are assigned by the sealer, after commit.
 *
 * @returns The event's id (`evt_…`).
 */
export async function appendEvent(tx: Transaction, event: NewEvent): Promise<string> {
  const id = newId('evt')
  await tx`
    WITH event AS (
      INSERT INTO events (id, merchant_id, type, subject, occurred_at, data)
      VALUES (${id}, ${event.merchantId}, ${event.type}, ${event.subject}, clock_timestamp(), ${tx.json(event.data as never)})
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
  return id
}
