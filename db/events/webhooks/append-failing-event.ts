/** Appends the warning that an endpoint fails. */

import type { WebhookEndpointFailing } from '../../../wire/event.js'
import type { Transaction } from '../../connect.js'
import { appendEvent } from '../log/append-event.js'

/** Records a `webhook_endpoint.failing` event. The other endpoints of the merchant receive it, and this one does not. */
export async function appendFailingEvent(
  tx: Transaction,
  endpoint: { readonly id: string; readonly merchantId: string },
  reason: WebhookEndpointFailing['reason'],
): Promise<void> {
  const { id, merchantId } = endpoint
  const data = { endpoint_id: id, reason } satisfies WebhookEndpointFailing
  await appendEvent(tx, { merchantId, type: 'webhook_endpoint.failing', subject: id, data, notTo: [id] })
}
