/** Webhook endpoints: where a merchant's events go (contract section 3). */

import { randomBytes } from 'node:crypto'
import { createRoute, z } from '@hono/zod-openapi'
import { appendAudit } from '../../db/audit/append-audit.js'
import { inTransaction } from '../../db/connect.js'
import { appendTestEvent } from '../../db/events/webhooks/append-test-event.js'
import { createEndpoint } from '../../db/events/webhooks/create-endpoint.js'
import { deleteEndpoint } from '../../db/events/webhooks/delete-endpoint.js'
import type { EndpointRow } from '../../db/events/webhooks/endpoint-row.js'
import { findEndpoint } from '../../db/events/webhooks/find-endpoint.js'
import { listEndpoints } from '../../db/events/webhooks/list-endpoints.js'
import { replayEvents } from '../../db/events/webhooks/replay-events.js'
import { rotateSecret } from '../../db/events/webhooks/rotate-secret.js'
import { updateEndpoint } from '../../db/events/webhooks/update-endpoint.js'
import { KeyturnError } from '../../domain/errors.js'
import { EVENT_TYPES } from '../../domain/events/event.js'
import { formatWebhookSecret } from '../../domain/events/webhook-signature.js'
import { checkTarget } from '../../egress/check-target.js'
import { createTargetPolicy } from '../../egress/target-policy.js'
import { webhookDeliveryId } from '../../temporal/ids.js'
import { sealSecret } from '../../vault/seal-secret.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { instant } from '../http/instant.js'
import { notFound } from '../http/not-found.js'
import { pagingQuery, toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { startSoon } from '../start/start-soon.js'

const SECRET_BYTES = 32
const DEFAULT_GRACE_SECONDS = 86_400
const MAX_GRACE_SECONDS = 604_800

const eventTypes = z
  .array(z.enum([...EVENT_TYPES, '*']))
  .min(1)
  .max(EVENT_TYPES.length + 1)
  .nullable()
  .openapi({ description: 'Only these; null or "*" for all.' })
const format = z.enum(['keyturn', 'layer1']).openapi({
  description:
    '`layer1` sends deposits and balances as layer1:digital:… events; what that format has no event for comes as usual.',
})
const url = z.string().min(1).max(2_048).openapi({ example: 'https://shop.example/webhooks' })

const endpointView = z
  .object({
    id: z.string(),
    url: z.string(),
    event_types: z.array(z.string()).nullable(),
    format,
    status: z.enum(['active', 'disabled', 'deleted']),
    previous_secret_until: z.iso
      .datetime()
      .nullable()
      .openapi({ description: 'Until then the secret before the last rotation signs too.' }),
    created_at: z.iso.datetime(),
  })
  .openapi('WebhookEndpoint')
const endpointWithSecret = endpointView
  .extend({ secret: z.string().openapi({ description: 'Shown now and never again.', example: 'whsec_…' }) })
  .openapi('WebhookEndpointWithSecret')
const sent = z
  .object({ event_id: z.string(), delivery_id: z.string(), endpoint_id: z.string() })
  .openapi('WebhookTest')
const replayed = z
  .object({
    endpoint_id: z.string(),
    deliveries: z
      .int()
      .openapi({ description: 'Deliveries that will be made; those pending anyway do not count.' }),
  })
  .openapi('WebhookReplay')

const params = z.object({ id: z.string() })
const tags = ['Webhooks']
const json = <T extends z.ZodType>(schema: T, required = true) => ({
  body: { required, content: { 'application/json': { schema } } },
})

const create = createRoute({
  ...secured('webhooks'),
  method: 'post',
  path: '/webhook-endpoints',
  summary: 'Register an endpoint; its secret is in the answer, once',
  tags,
  request: json(
    z.strictObject({ url, event_types: eventTypes.optional(), format: format.default('keyturn') }),
  ),
  responses: { 201: answer(endpointWithSecret, 'Registered') },
})
const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/webhook-endpoints',
  summary: 'Endpoints, newest first',
  tags,
  request: { query: z.strictObject(pagingQuery) },
  responses: { 200: listAnswer(endpointView) },
})
const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/webhook-endpoints/{id}',
  summary: 'One endpoint',
  tags,
  request: { params },
  responses: { 200: answer(endpointView) },
})
const patch = createRoute({
  ...secured('webhooks'),
  method: 'patch',
  path: '/webhook-endpoints/{id}',
  summary: 'Change an endpoint; disabling it holds its deliveries, enabling it sets them free',
  tags,
  request: {
    params,
    ...json(
      z.strictObject({
        url: url.optional(),
        event_types: eventTypes.optional(),
        format: format.optional(),
        status: z.enum(['active', 'disabled']).optional(),
      }),
    ),
  },
  responses: { 200: answer(endpointView) },
})
const remove = createRoute({
  ...secured('webhooks'),
  method: 'delete',
  path: '/webhook-endpoints/{id}',
  summary: 'Delete an endpoint and cancel what was still to be delivered to it',
  tags,
  request: { params },
  responses: { 200: answer(endpointView) },
})
const rotate = createRoute({
  ...secured('webhooks'),
  method: 'post',
  path: '/webhook-endpoints/{id}/rotate-secret',
  summary: 'Replace the secret; both sign until the grace is over',
  tags,
  request: {
    params,
    ...json(
      z.strictObject({
        grace_seconds: z.int().min(0).max(MAX_GRACE_SECONDS).default(DEFAULT_GRACE_SECONDS),
      }),
      false,
    ),
  },
  responses: { 200: answer(endpointWithSecret) },
})
const test = createRoute({
  ...secured('webhooks'),
  method: 'post',
  path: '/webhook-endpoints/{id}/test',
  summary: 'Deliver a real, signed webhook.test event to this endpoint alone',
  tags,
  request: { params, ...json(z.strictObject({}), false) },
  responses: { 202: answer(sent, 'On its way; see GET /webhook-deliveries/{delivery_id}') },
})
const replay = createRoute({
  ...secured('webhooks'),
  method: 'post',
  path: '/webhook-endpoints/{id}/replay',
  summary: 'Deliver the events of a stretch of time again, with the same bytes and webhook-id',
  tags,
  request: {
    params,
    ...json(
      z
        .strictObject({
          since: instant.openapi({ description: 'Inclusive.' }),
          until: instant.openapi({ description: 'Exclusive.' }),
          event_types: eventTypes.optional(),
        })
        .refine((range) => Date.parse(range.since) < Date.parse(range.until), {
          path: ['until'],
          message: 'must be after since',
        }),
    ),
  },
  responses: { 202: answer(replayed, 'The deliveries are recorded and will be made') },
})

/** Registers `/webhook-endpoints`. */
export function registerWebhookEndpointRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, environment } = dependencies
  const policy = createTargetPolicy({
    allowCidrs: environment.KEYTURN_WEBHOOK_ALLOW_CIDRS,
    allowHttp: environment.KEYTURN_WEBHOOK_ALLOW_HTTP,
  })
  const newSecret = () => {
    const secret = formatWebhookSecret(randomBytes(SECRET_BYTES))
    const seal = (id: string) =>
      sealSecret(environment.KEYTURN_MASTER_KEY, Buffer.from(secret), {
        table: 'webhook_endpoints',
        key: [id],
      })
    return { secret, seal }
  }

  app.openapi(create, async (c) => {
    const body = c.req.valid('json')
    const checked = await checkTarget(body.url, policy)
    const { secret, seal } = newSecret()
    const created = await inTransaction(sql, async (tx) => {
      const endpoint = await createEndpoint(
        tx,
        {
          merchantId: c.get('merchantId'),
          url: checked,
          eventTypes: body.event_types ?? null,
          format: body.format,
          seal,
        },
        environment.KEYTURN_WEBHOOK_ENDPOINTS,
      )
      await appendAudit(tx, audit(c, 'webhook_endpoint.created', endpoint, { url: endpoint.url }))
      return keepAnswer(c, tx, 201, success({ ...view(endpoint), secret }))
    })
    return c.json(created, 201)
  })

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const rows = await listEndpoints(sql, c.get('merchantId'), toSlice(query))
    return c.json(successPage(toPage(query, rows, view, (row) => row.id)), 200)
  })

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param')
    const endpoint = await findEndpoint(sql, c.get('merchantId'), id)
    if (!endpoint) throw notFound('webhook endpoint', id)
    return c.json(success(view(endpoint)), 200)
  })

  app.openapi(patch, async (c) => {
    const { id } = c.req.valid('param')
    const body = c.req.valid('json')
    const checked = body.url === undefined ? undefined : await checkTarget(body.url, policy)
    const changed = await inTransaction(sql, async (tx) => {
      const endpoint = await updateEndpoint(tx, c.get('merchantId'), id, {
        url: checked,
        eventTypes: body.event_types,
        format: body.format,
        status: body.status,
      })
      if (endpoint) await appendAudit(tx, audit(c, 'webhook_endpoint.changed', endpoint, body))
      return endpoint
    })
    if (!changed) throw notFound('webhook endpoint', id)
    return c.json(success(view(changed)), 200)
  })

  app.openapi(remove, async (c) => {
    const { id } = c.req.valid('param')
    const deleted = await inTransaction(sql, async (tx) => {
      const found = await deleteEndpoint(tx, c.get('merchantId'), id)
      if (found) await appendAudit(tx, audit(c, 'webhook_endpoint.deleted', found.endpoint, {}))
      return found
    })
    if (!deleted) throw notFound('webhook endpoint', id)
    // The rows are cancelled already; this only ends the waits of their workflows sooner.
    startSoon(dependencies, `cancelling the deliveries of ${id}`, async (client) => {
      await Promise.allSettled(
        deleted.waiting.map((eventId) => client.getHandle(webhookDeliveryId(eventId, id)).signal('cancel')),
      )
    })
    return c.json(success(view(deleted.endpoint)), 200)
  })

  app.openapi(rotate, async (c) => {
    const { id } = c.req.valid('param')
    const graceSeconds = c.req.valid('json')?.grace_seconds ?? DEFAULT_GRACE_SECONDS
    const { secret, seal } = newSecret()
    const rotated = await inTransaction(sql, async (tx) => {
      const endpoint = await rotateSecret(tx, {
        merchantId: c.get('merchantId'),
        id,
        secretSealed: seal(id),
        graceSeconds,
      })
      if (!endpoint) throw notFound('webhook endpoint', id)
      await appendAudit(
        tx,
        audit(c, 'webhook_endpoint.secret_rotated', endpoint, { grace_seconds: graceSeconds }),
      )
      return keepAnswer(c, tx, 200, success({ ...view(endpoint), secret }))
    })
    return c.json(rotated, 200)
  })

  app.openapi(test, async (c) => {
    const { id } = c.req.valid('param')
    const body = await inTransaction(sql, async (tx) => {
      const endpoint = await findEndpoint(tx, c.get('merchantId'), id, true)
      if (!endpoint) throw notFound('webhook endpoint', id)
      requireActive(endpoint)
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
      const endpoint = await findEndpoint(tx, c.get('merchantId'), id, true)
      if (!endpoint) throw notFound('webhook endpoint', id)
      requireActive(endpoint)
      const deliveries = await replayEvents(tx, endpoint, {
        since: new Date(since),
        until: new Date(until),
        eventTypes: event_types ?? null,
      })
      await appendAudit(
        tx,
        audit(c, 'webhook_endpoint.replayed', endpoint, {
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

function requireActive(endpoint: EndpointRow): void {
  if (endpoint.status === 'active') return
  throw new KeyturnError('INVALID_STATE', 'The endpoint is disabled; enable it first', {
    details: { endpoint_id: endpoint.id, status: endpoint.status },
  })
}

function audit(
  c: { get(key: 'actor'): string },
  action: string,
  endpoint: EndpointRow,
  data: Readonly<Record<string, unknown>>,
) {
  return { merchantId: endpoint.merchant_id, actor: c.get('actor'), action, subject: endpoint.id, data }
}

function view(row: EndpointRow): z.infer<typeof endpointView> {
  return {
    id: row.id,
    url: row.url,
    event_types: row.event_types,
    format: row.format,
    status: row.status,
    previous_secret_until: row.previous_secret_until?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
  }
}
