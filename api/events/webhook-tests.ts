/** Route that sends a test event to one webhook endpoint. */

import { createRoute, z } from '@hono/zod-openapi'
import { inTransaction } from '../../db/connect.js'
import { appendTestEvent } from '../../db/events/webhooks/append-test-event.js'
import { WebhookTest } from '../../wire/webhook-endpoint.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, success } from '../http/answer.js'
import { jsonBody } from '../http/json-body.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { params, tags } from './endpoint-routes.js'
import { lockActiveEndpoint } from './endpoint-view.js'

const test = createRoute({
  ...secured('webhooks'),
  method: 'post',
  path: '/webhook-endpoints/{id}/test',
  summary: 'Deliver a real, signed webhook.test event to this endpoint only',
  tags,
  request: { params, ...jsonBody(z.strictObject({}), false) },
  responses: { 202: answer(WebhookTest, 'Under way. See GET /webhook-deliveries/{delivery_id}') },
})

/** Registers `/webhook-endpoints/{id}/test`. */
export function registerWebhookTestRoutes(app: ApiApp, { sql }: ApiDependencies): void {
  app.openapi(test, async (c) => {
    const { id } = c.req.valid('param')
    const body = await inTransaction(sql, async (tx) => {
      const endpoint = await lockActiveEndpoint(tx, c.get('merchantId'), id)
      const { eventId, deliveryId } = await appendTestEvent(tx, endpoint)
      return keepAnswer(
        c,
        tx,
        202,
        success({ event_id: eventId, delivery_id: deliveryId, endpoint_id: endpoint.id }),
      )
    })
    return c.json(body, 202)
  })
}
