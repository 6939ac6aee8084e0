/** Routes that pause a webhook endpoint and resume one that is paused or disabled. */

import { createRoute, z } from '@hono/zod-openapi'
import { appendAudit } from '../../db/audit/append-audit.js'
import { inTransaction } from '../../db/connect.js'
import { moveEndpoint } from '../../db/events/webhooks/move-endpoint.js'
import { WebhookEndpoint } from '../../wire/webhook-endpoint.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, success } from '../http/answer.js'
import { jsonBody } from '../http/json-body.js'
import { notFound } from '../http/not-found.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { params, tags } from './endpoint-routes.js'
import { endpointAudit, viewEndpoint } from './endpoint-view.js'
import { followEndpoint } from './follow-endpoint.js'
import { startCircuitSoon } from './start-circuit-soon.js'

const pause = createRoute({
  ...secured('webhooks'),
  method: 'post',
  path: '/webhook-endpoints/{id}/pause',
  summary: 'Hold the deliveries of an endpoint. Their 24 hours stand still',
  tags,
  request: { params, ...jsonBody(z.strictObject({}), false) },
  responses: { 200: answer(WebhookEndpoint) },
})
const resume = createRoute({
  ...secured('webhooks'),
  method: 'post',
  path: '/webhook-endpoints/{id}/resume',
  summary: 'Make a paused or disabled endpoint active. What was held is sent one at a time, by sequence',
  tags,
  request: { params, ...jsonBody(z.strictObject({}), false) },
  responses: { 200: answer(WebhookEndpoint) },
})

/** Registers `/webhook-endpoints/{id}/pause` and `/webhook-endpoints/{id}/resume`. */
export function registerEndpointPauseRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  for (const [route, status, action] of [
    [pause, 'paused', 'webhook_endpoint.paused'],
    [resume, 'active', 'webhook_endpoint.resumed'],
  ] as const) {
    app.openapi(route, async (c) => {
      const { id } = c.req.valid('param')
      const { body, moved } = await inTransaction(dependencies.sql, async (tx) => {
        const moved = await moveEndpoint(tx, c.get('merchantId'), id, status)
        if (!moved) throw notFound('webhook endpoint', id)
        if (moved.changed) await appendAudit(tx, endpointAudit(c, action, moved.endpoint, {}))
        return { moved, body: await keepAnswer(c, tx, 200, success(viewEndpoint(moved.endpoint))) }
      })
      await followEndpoint(dependencies, id)
      if (moved.changed) startCircuitSoon(dependencies, moved.endpoint)
      return c.json(body, 200)
    })
  }
}
