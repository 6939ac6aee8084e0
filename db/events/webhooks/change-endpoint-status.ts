/** Moves a webhook endpoint to another status, with its circuit and its events. */

import type { DisabledReason, EndpointStatus } from '../../../domain/events/endpoint-status.js'
import type { WebhookEndpointDisabled, WebhookEndpointEnabled } from '../../../wire/event.js'
import type { Transaction } from '../../connect.js'
import { appendEvent } from '../log/append-event.js'
import { type EndpointRow, endpointColumns } from './endpoint-row.js'
import { resetCircuit } from './move-circuit.js'

/**
 * Moves an endpoint. A move to the same status changes nothing. The caller lets its deliveries follow
 * (`moveDeliveries`) after the commit, because there may be very many, and every transaction that adds an event of the
 * merchant waits for the lock on the endpoint.
 *
 * @param endpoint - The endpoint, whose row the caller has locked. The lock waits for transactions that add
 * deliveries to it, so that none is missed.
 * @param reason - Why it is disabled. Default: a person requested it.
 * @returns The endpoint after the move.
 */
export async function changeEndpointStatus(
  tx: Transaction,
  endpoint: EndpointRow,
  status: EndpointStatus,
  reason: DisabledReason = 'requested',
): Promise<EndpointRow> {
  if (endpoint.status === status) return endpoint
  const { id, merchant_id: merchantId } = endpoint
  const [moved] = await tx<EndpointRow[]>`
    UPDATE webhook_endpoints SET status = ${status} WHERE id = ${id} RETURNING ${endpointColumns(tx)}`
  if (!moved) throw new Error(`The endpoint ${id} is gone although its row is locked`)
  if (endpoint.status === 'active') await resetCircuit(tx, id)
  if (status === 'disabled') {
    const data = { endpoint_id: id, reason } satisfies WebhookEndpointDisabled
    await appendEvent(tx, { merchantId, type: 'webhook_endpoint.disabled', subject: id, data, notTo: [id] })
  }
  if (endpoint.status === 'disabled') {
    const data = { endpoint_id: id } satisfies WebhookEndpointEnabled
    await appendEvent(tx, { merchantId, type: 'webhook_endpoint.enabled', subject: id, data })
  }
  return { ...moved, circuit: endpoint.status === 'active' ? 'closed' : moved.circuit }
}
