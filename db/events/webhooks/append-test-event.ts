/** Appends a test event, which is like every other event but goes to one endpoint only. */

import { NEWEST_SCHEMA_VERSION } from '../../../domain/events/schema-version.js'
import type { WebhookTested } from '../../../wire/event.js'
import type { Transaction } from '../../connect.js'
import { newId } from '../../new-id.js'
import type { EndpointRow } from './endpoint-row.js'

/**
 * Records a `webhook.test` event and its delivery to this endpoint, also when it does not subscribe to the
 * type. A person requests it, so it waits for no circuit.
 */
export async function appendTestEvent(
  tx: Transaction,
  endpoint: EndpointRow,
): Promise<{ readonly eventId: string; readonly deliveryId: string }> {
  const eventId = newId('evt')
  const deliveryId = `whd_${eventId.slice(4)}_${endpoint.id.slice(4)}`
  const data: WebhookTested = {
    endpoint_id: endpoint.id,
    message: 'This is a test; nothing happened.',
    schema_version: NEWEST_SCHEMA_VERSION,
  }
  await tx`
    WITH event AS (
      INSERT INTO events (id, merchant_id, type, subject, occurred_at, data)
      VALUES (${eventId}, ${endpoint.merchant_id}, 'webhook.test', ${endpoint.id}, clock_timestamp(), ${tx.json(data)})
      RETURNING id
    ), delivery AS (
      INSERT INTO webhook_deliveries
        (id, merchant_id, event_id, endpoint_id, format, schema_version, requested, event_type)
      SELECT ${deliveryId}, ${endpoint.merchant_id}, event.id, ${endpoint.id}, ${endpoint.format},
             nullif(${endpoint.schema_version}, ${NEWEST_SCHEMA_VERSION}), true, 'webhook.test'
      FROM event
    )
    SELECT pg_notify('sealer', '')`
  return { eventId, deliveryId }
}
