/** Routes of webhook deliveries: list and read them with their attempts, and deliver again. */

import { createRoute, z } from '@hono/zod-openapi'
import { appendAudit } from '../../db/audit/append-audit.js'
import { inTransaction } from '../../db/connect.js'
import { type DeliveryRow, getDelivery, listDeliveries } from '../../db/events/webhooks/list-deliveries.js'
import { redeliver } from '../../db/events/webhooks/redeliver.js'
import { DeliveryFilter, WebhookDelivery } from '../../wire/webhook-delivery.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { notFound } from '../http/not-found.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'

const tags = ['Webhooks']
const params = z.object({ id: z.string() })

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/webhook-deliveries',
  summary: 'Deliveries, newest first, each with its newest 10 attempts',
  tags,
  request: {
    query: DeliveryFilter,
  },
  responses: { 200: listAnswer(WebhookDelivery) },
})
const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/webhook-deliveries/{id}',
  summary: 'One delivery with all of its attempts',
  tags,
  request: { params },
  responses: { 200: answer(WebhookDelivery) },
})
const again = createRoute({
  ...secured('webhooks'),
  method: 'post',
  path: '/webhook-deliveries/{id}/redeliver',
  summary: 'Deliver again now, with the same bytes and webhook-id',
  tags,
  request: {
    params,
    body: { required: false, content: { 'application/json': { schema: z.strictObject({}) } } },
  },
  responses: { 202: answer(WebhookDelivery, 'Under way') },
})

/** Registers `/webhook-deliveries`. */
export function registerWebhookDeliveryRoutes(app: ApiApp, { sql }: ApiDependencies): void {
  app.openapi(list, async (c) => {
    const { page, limit, cursor, ...filter } = c.req.valid('query')
    const query = { page, limit, cursor }
    const rows = await listDeliveries(sql, c.get('merchantId'), filter, toSlice(query))
    return c.json(successPage(toPage(query, rows, deliveryView, (row) => row.id)), 200)
  })

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param')
    const row = await getDelivery(sql, c.get('merchantId'), id)
    if (!row) throw notFound('webhook delivery', id)
    return c.json(success(deliveryView(row)), 200)
  })

  app.openapi(again, async (c) => {
    const { id } = c.req.valid('param')
    const merchantId = c.get('merchantId')
    const body = await inTransaction(sql, async (tx) => {
      if (!(await redeliver(tx, merchantId, id))) throw notFound('webhook delivery', id)
      await appendAudit(tx, {
        merchantId,
        actor: c.get('actor'),
        action: 'webhook_delivery.redelivered',
        subject: id,
      })
      const row = await getDelivery(tx, merchantId, id)
      if (!row) throw notFound('webhook delivery', id)
      return keepAnswer(c, tx, 202, success(deliveryView(row)))
    })
    return c.json(body, 202)
  })
}

/** Returns a delivery as the API shows it. */
export function deliveryView(row: DeliveryRow): WebhookDelivery {
  return {
    id: row.id,
    event_id: row.event_id,
    endpoint_id: row.endpoint_id,
    event: row.event,
    status: row.status,
    next_attempt_at: row.next_attempt_at?.toISOString() ?? null,
    waiting_since: row.waiting_since?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
    delivered_at: row.delivered_at?.toISOString() ?? null,
    attempts: row.attempts,
  }
}
