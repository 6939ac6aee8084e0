/** Routes that send events to one webhook endpoint: a test event, and the replay of a time range. */

import { createRoute, z } from '@hono/zod-openapi'
import { appendAudit } from '../../db/audit/append-audit.js'
import { inTransaction } from '../../db/connect.js'
import { appendTestEvent } from '../../db/events/webhooks/append-test-event.js'
import { replayEvents } from '../../db/events/webhooks/replay-events.js'
import { ReplayRange, WebhookReplay, WebhookTest } from '../../wire/webhook-endpoint.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, success } from '../http/answer.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { json, params, tags } from './endpoint-routes.js'
import { endpointAudit, lockActiveEndpoint } from './endpoint-view.js'

const test = createRoute({
  ...secured('webhooks'),
  method: 'post',
  path: '/webhook-endpoints/{id}/test',
  summary: 'Deliver a real, signed webhook.test event to this endpoint only',
  tags,
  request: { params, ...json(z.strictObject({}), false) },
  responses: { 202: answer(WebhookTest, 'Under way. See GET /webhook-deliveries/{delivery_id}') },
})
const replay = createRoute({
  ...secured('webhooks'),
  method: 'post',
  path: '/webhook-endpoints/{id}/replay',
  summary: 'Deliver the events of a time range again, with the same bytes and webhook-id',
  tags,
  request: {
    params,
    ...json(ReplayRange),
  },
  responses: { 202: answer(WebhookReplay, 'The deliveries are stored and will be made') },
})

/** Registers `/webhook-endpoints/{id}/test` and `/webhook-endpoints/{id}/replay`. */
export function registerWebhookReplayRoutes(app: ApiApp, { sql }: ApiDependencies): void {
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

  app.openapi(replay, async (c) => {
    const { id } = c.req.valid('param')
    const { since, until, event_types } = c.req.valid('json')
    const body = await inTransaction(sql, async (tx) => {
      const endpoint = await lockActiveEndpoint(tx, c.get('merchantId'), id)
      const deliveries = await replayEvents(tx, endpoint, {
        since: new Date(since),
        until: new Date(until),
        eventTypes: event_types ?? null,
      })
      await appendAudit(
        tx,
        endpointAudit(c, 'webhook_endpoint.replayed', endpoint, {
          since,
          until,
          event_types: event_types ?? null,
          deliveries,
        }),
      )
      return keepAnswer(c, tx, 202, success({ endpoint_id: endpoint.id, deliveries }))
    })
    return c.json(body, 202)
  })
}
