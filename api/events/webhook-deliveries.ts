/** Routes of webhook deliveries: list and read them with their attempts, and deliver again. */

import { createRoute, z } from '@hono/zod-openapi'
import { appendAudit } from '../../db/audit/append-audit.js'
import { inTransaction } from '../../db/connect.js'
import { type DeliveryRow, getDelivery, listDeliveries } from '../../db/events/webhooks/list-deliveries.js'
import { redeliver } from '../../db/events/webhooks/redeliver.js'
import { DELIVERY_STATUSES } from '../../domain/events/delivery-status.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { notFound } from '../http/not-found.js'
import { pagingQuery, toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'

const deliveryView = z
  .object({
    id: z.string(),
    event_id: z.string().openapi({ description: 'What `webhook-id` says, in every attempt.' }),
    endpoint_id: z.string(),
    event: z.string().openapi({ example: 'deposit.status_changed' }),
    status: z.enum(DELIVERY_STATUSES),
    next_attempt_at: z.iso.datetime().nullable(),
    created_at: z.iso.datetime(),
    delivered_at: z.iso.datetime().nullable(),
    attempts: z
      .array(
        z.object({
          number: z.int(),
          at: z.iso.datetime(),
          status_code: z.int().nullable(),
          duration_ms: z.int(),
          error: z.string().nullable(),
        }),
      )
      .readonly(),
  })
  .openapi('WebhookDelivery')

const tags = ['Webhooks']
const params = z.object({ id: z.string() })

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/webhook-deliveries',
  summary: 'Deliveries with their attempts, newest first',
  tags,
  request: {
    query: z.strictObject({
      ...pagingQuery,
      endpoint_id: z.string().optional(),
      status: z.enum(DELIVERY_STATUSES).optional(),
      event_id: z.string().optional(),
      event: z.string().optional(),
    }),
  },
  responses: { 200: listAnswer(deliveryView) },
})
const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/webhook-deliveries/{id}',
  summary: 'One delivery',
  tags,
  request: { params },
  responses: { 200: answer(deliveryView) },
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
  responses: { 202: answer(deliveryView, 'Under way') },
})

/** Registers `/webhook-deliveries`. */
export function registerWebhookDeliveryRoutes(app: ApiApp, { sql }: ApiDependencies): void {
  app.openapi(list, async (c) => {
    const { page, limit, cursor, ...filter } = c.req.valid('query')
    const query = { page, limit, cursor }
    const rows = await listDeliveries(sql, c.get('merchantId'), filter, toSlice(query))
    return c.json(successPage(toPage(query, rows, view, (row) => row.id)), 200)
  })

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param')
    const row = await getDelivery(sql, c.get('merchantId'), id)
    if (!row) throw notFound('webhook delivery', id)
    return c.json(success(view(row)), 200)
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
      return keepAnswer(c, tx, 202, success(view(row)))
    })
    return c.json(body, 202)
  })
}

function view(row: DeliveryRow): z.infer<typeof deliveryView> {
  return {
    id: row.id,
    event_id: row.event_id,
    endpoint_id: row.endpoint_id,
    event: row.event,
    status: row.status,
    next_attempt_at: row.next_attempt_at?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
    delivered_at: row.delivered_at?.toISOString() ?? null,
    attempts: row.attempts,
  }
}
