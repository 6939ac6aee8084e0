/** Routes of webhook endpoints: register, list, read, change and delete. */

import { createRoute } from '@hono/zod-openapi'
import { appendAudit } from '../../db/audit/append-audit.js'
import { inTransaction } from '../../db/connect.js'
import { createEndpoint } from '../../db/events/webhooks/create-endpoint.js'
import { deleteEndpoint } from '../../db/events/webhooks/delete-endpoint.js'
import { findEndpoint } from '../../db/events/webhooks/find-endpoint.js'
import { listEndpoints } from '../../db/events/webhooks/list-endpoints.js'
import { updateEndpoint } from '../../db/events/webhooks/update-endpoint.js'
import { checkTarget } from '../../egress/check-target.js'
import { createWebhookPolicy } from '../../egress/webhook-policy.js'
import { webhookDeliveryId } from '../../temporal/ids.js'
import { Paging } from '../../wire/paging.js'
import {
  DeletedWebhookEndpoint,
  NewWebhookEndpoint,
  WebhookEndpoint,
  WebhookEndpointChange,
  WebhookEndpointWithSecret,
} from '../../wire/webhook-endpoint.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { jsonBody } from '../http/json-body.js'
import { notFound } from '../http/not-found.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { startSoon } from '../start/start-soon.js'
import { params, tags } from './endpoint-routes.js'
import { endpointAudit, viewDeleted, viewEndpoint } from './endpoint-view.js'
import { followEndpoint } from './follow-endpoint.js'
import { newEndpointSecret } from './new-endpoint-secret.js'
import { startCircuitSoon } from './start-circuit-soon.js'

const create = createRoute({
  ...secured('webhooks'),
  method: 'post',
  path: '/webhook-endpoints',
  summary: 'Register an endpoint. Only this answer shows its secret',
  tags,
  request: jsonBody(NewWebhookEndpoint),
  responses: { 201: answer(WebhookEndpointWithSecret, 'Registered') },
})
const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/webhook-endpoints',
  summary: 'Endpoints, newest first',
  tags,
  request: { query: Paging },
  responses: { 200: listAnswer(WebhookEndpoint) },
})
const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/webhook-endpoints/{id}',
  summary: 'One endpoint',
  tags,
  request: { params },
  responses: { 200: answer(WebhookEndpoint) },
})
const patch = createRoute({
  ...secured('webhooks'),
  method: 'patch',
  path: '/webhook-endpoints/{id}',
  summary: 'Change an endpoint. Disabling it holds its deliveries, and enabling it resumes them',
  tags,
  request: {
    params,
    ...jsonBody(WebhookEndpointChange),
  },
  responses: { 200: answer(WebhookEndpoint) },
})
const remove = createRoute({
  ...secured('webhooks'),
  method: 'delete',
  path: '/webhook-endpoints/{id}',
  summary: 'Delete an endpoint and cancel its open deliveries',
  tags,
  request: { params },
  responses: { 200: answer(DeletedWebhookEndpoint) },
})

/** Registers `/webhook-endpoints`. */
export function registerWebhookEndpointRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, environment } = dependencies
  const policy = createWebhookPolicy(environment)

  app.openapi(create, async (c) => {
    const body = c.req.valid('json')
    const checked = await checkTarget(body.url, policy)
    const { secret, seal } = newEndpointSecret(environment.KEYTURN_MASTER_KEY)
    const created = await inTransaction(sql, async (tx) => {
      const endpoint = await createEndpoint(
        tx,
        {
          merchantId: c.get('merchantId'),
          url: checked,
          eventTypes: body.event_types ?? null,
          format: body.format,
          schemaVersion: body.schema_version,
          maxRate: body.max_rate,
          seal,
        },
        environment.KEYTURN_WEBHOOK_ENDPOINTS,
      )
      await appendAudit(tx, endpointAudit(c, 'webhook_endpoint.created', endpoint, { url: endpoint.url }))
      return keepAnswer(c, tx, 201, success({ ...viewEndpoint(endpoint), secret }))
    })
    return c.json(created, 201)
  })

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const rows = await listEndpoints(sql, c.get('merchantId'), toSlice(query))
    return c.json(successPage(toPage(query, rows, viewEndpoint, (row) => row.id)), 200)
  })

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param')
    const endpoint = await findEndpoint(sql, c.get('merchantId'), id)
    if (!endpoint) throw notFound('webhook endpoint', id)
    return c.json(success(viewEndpoint(endpoint)), 200)
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
        schemaVersion: body.schema_version,
        maxRate: body.max_rate,
        status: body.status,
      })
      if (endpoint) await appendAudit(tx, endpointAudit(c, 'webhook_endpoint.changed', endpoint, body))
      return endpoint
    })
    if (!changed) throw notFound('webhook endpoint', id)
    if (body.status !== undefined) await followEndpoint(dependencies, id)
    if (body.url !== undefined || body.status !== undefined) startCircuitSoon(dependencies, changed)
    return c.json(success(viewEndpoint(changed)), 200)
  })

  app.openapi(remove, async (c) => {
    const { id } = c.req.valid('param')
    const deleted = await inTransaction(sql, async (tx) => {
      const endpoint = await deleteEndpoint(tx, c.get('merchantId'), id)
      if (endpoint) await appendAudit(tx, endpointAudit(c, 'webhook_endpoint.deleted', endpoint, {}))
      return endpoint
    })
    if (!deleted) throw notFound('webhook endpoint', id)
    const { waiting } = await followEndpoint(dependencies, id)
    // The rows are already cancelled. The signals only end the waits of their workflows sooner.
    startSoon(dependencies, `cancelling the deliveries of ${id}`, async (client) => {
      await Promise.allSettled(
        waiting.map((eventId) => client.getHandle(webhookDeliveryId(eventId, id)).signal('cancel')),
      )
    })
    startCircuitSoon(dependencies, deleted)
    return c.json(success(viewDeleted(deleted)), 200)
  })
}
