/** Shares the view, the audit entry and the lock of an active endpoint between the routes of webhook endpoints. */

import type { Transaction } from '../../db/connect.js'
import type { EndpointRow } from '../../db/events/webhooks/endpoint-row.js'
import { findEndpoint } from '../../db/events/webhooks/find-endpoint.js'
import { KeyturnError } from '../../domain/errors.js'
import type { DeletedWebhookEndpoint, WebhookEndpoint } from '../../wire/webhook-endpoint.js'
import { notFound } from '../http/not-found.js'

/**
 * Locks an endpoint to which events are about to be delivered.
 *
 * @throws KeyturnError `NOT_FOUND`, or `INVALID_STATE` while the endpoint is paused or disabled.
 */
export async function lockActiveEndpoint(
  tx: Transaction,
  merchantId: string,
  id: string,
): Promise<EndpointRow> {
  return findActiveEndpoint(tx, merchantId, id, true)
}

/** Finds an endpoint as `lockActiveEndpoint` does. Without `lock`, events of the merchant need not wait for the request. */
export async function findActiveEndpoint(
  tx: Transaction,
  merchantId: string,
  id: string,
  lock = false,
): Promise<EndpointRow> {
  const endpoint = await findEndpoint(tx, merchantId, id, lock)
  if (!endpoint) throw notFound('webhook endpoint', id)
  if (endpoint.status === 'active') return endpoint
  throw new KeyturnError('INVALID_STATE', `The endpoint is ${endpoint.status}. Resume it first`, {
    details: { endpoint_id: endpoint.id, status: endpoint.status },
  })
}

/** Returns the audit entry of an act on an endpoint. */
export function endpointAudit(
  c: { get(key: 'actor'): string },
  action: string,
  endpoint: EndpointRow,
  data: Readonly<Record<string, unknown>>,
) {
  return { merchantId: endpoint.merchant_id, actor: c.get('actor'), action, subject: endpoint.id, data }
}

/** Returns the view of the row of an endpoint that is not deleted. */
export function viewEndpoint(row: EndpointRow): WebhookEndpoint {
  if (row.status === 'deleted') throw new Error(`The endpoint ${row.id} is deleted`)
  return { ...viewFields(row), status: row.status }
}

/** Returns the view of the row of an endpoint that a request has deleted. */
export function viewDeleted(row: EndpointRow): DeletedWebhookEndpoint {
  return { ...viewFields(row), status: 'deleted' }
}

function viewFields(row: EndpointRow): Omit<WebhookEndpoint, 'status'> {
  return {
    id: row.id,
    url: row.url,
    event_types: row.event_types,
    format: row.format,
    schema_version: row.schema_version,
    max_rate: row.max_rate,
    circuit: row.circuit,
    previous_secret_until: row.previous_secret_until?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
  }
}
