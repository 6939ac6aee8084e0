/** Route of the figures of a webhook endpoint. */

import { createRoute } from '@hono/zod-openapi'
import { findEndpoint } from '../../db/events/webhooks/find-endpoint.js'
import { measureEndpoint } from '../../db/events/webhooks/measure-endpoint.js'
import { StatsWindow, WebhookStats, windowMs } from '../../wire/webhook-stats.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, success } from '../http/answer.js'
import { notFound } from '../http/not-found.js'
import { secured } from '../http/secured.js'
import { params, tags } from './endpoint-routes.js'

const stats = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/webhook-endpoints/{id}/stats',
  summary: 'Successes, failures and durations of the attempts at an endpoint, without tests',
  tags,
  request: { params, query: StatsWindow },
  responses: { 200: answer(WebhookStats) },
})

/** Registers `/webhook-endpoints/{id}/stats`. */
export function registerWebhookStatsRoutes(app: ApiApp, { sql }: ApiDependencies): void {
  app.openapi(stats, async (c) => {
    const { id } = c.req.valid('param')
    const endpoint = await findEndpoint(sql, c.get('merchantId'), id)
    if (!endpoint) throw notFound('webhook endpoint', id)
    const { successes, oldest_undelivered_at, ...figures } = await measureEndpoint(
      sql,
      id,
      windowMs(c.req.valid('query').window),
    )
    const view: WebhookStats = {
      ...figures,
      success_rate: figures.attempts === 0 ? null : successes / figures.attempts,
      oldest_undelivered_at: oldest_undelivered_at?.toISOString() ?? null,
    }
    return c.json(success(view), 200)
  })
}
