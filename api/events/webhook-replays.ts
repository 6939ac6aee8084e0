/** Routes of replays: send past events to one webhook endpoint again, follow that, and cancel it. */

import { createRoute, z } from '@hono/zod-openapi'
import { appendAudit } from '../../db/audit/append-audit.js'
import { inTransaction, type Transaction } from '../../db/connect.js'
import { cancelReplay } from '../../db/events/replays/cancel-replay.js'
import { createReplay, type NewReplay } from '../../db/events/replays/create-replay.js'
import { findReplay, listReplays } from '../../db/events/replays/find-replay.js'
import type { ReplayRow } from '../../db/events/replays/replay-row.js'
import type { EndpointRow } from '../../db/events/webhooks/endpoint-row.js'
import { findEndpoint } from '../../db/events/webhooks/find-endpoint.js'
import { startWebhookReplay } from '../../temporal/start.js'
import { Paging } from '../../wire/paging.js'
import { ReplayRange } from '../../wire/webhook-endpoint.js'
import { NewWebhookReplay, StartedReplay, WebhookReplay } from '../../wire/webhook-replay.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { jsonBody } from '../http/json-body.js'
import { notFound } from '../http/not-found.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { startSoon } from '../start/start-soon.js'
import { params, tags } from './endpoint-routes.js'
import { endpointAudit, findActiveEndpoint } from './endpoint-view.js'

const replayParams = params.extend({ replay_id: z.string() })

const create = createRoute({
  ...secured('webhooks'),
  method: 'post',
  path: '/webhook-endpoints/{id}/replays',
  summary: 'Send past events to an endpoint again: those that failed, those without a delivery, or all',
  tags,
  request: { params, ...jsonBody(NewWebhookReplay) },
  responses: { 202: answer(WebhookReplay, 'Under way; a dry run is completed') },
})
const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/webhook-endpoints/{id}/replays',
  summary: 'Replays of an endpoint, newest first',
  tags,
  request: { params, query: Paging },
  responses: { 200: listAnswer(WebhookReplay) },
})
const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/webhook-endpoints/{id}/replays/{replay_id}',
  summary: 'One replay with its progress',
  tags,
  request: { params: replayParams },
  responses: { 200: answer(WebhookReplay) },
})
const cancel = createRoute({
  ...secured('webhooks'),
  method: 'post',
  path: '/webhook-endpoints/{id}/replays/{replay_id}/cancel',
  summary: 'Stop a replay. The few deliveries that it has under way are still sent',
  tags,
  request: { params: replayParams, ...jsonBody(z.strictObject({}), false) },
  responses: { 200: answer(WebhookReplay) },
})
const replay = createRoute({
  ...secured('webhooks'),
  method: 'post',
  path: '/webhook-endpoints/{id}/replay',
  summary: 'Deliver the events of a time range again, with the same bytes and webhook-id',
  tags,
  request: {
    params,
    ...jsonBody(ReplayRange),
  },
  responses: { 202: answer(StartedReplay, 'A replay of the mode `all` is under way') },
})

/** Registers `/webhook-endpoints/{id}/replays` and `/webhook-endpoints/{id}/replay`. */
export function registerWebhookReplayRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql } = dependencies

  app.openapi(create, async (c) => {
    const { id } = c.req.valid('param')
    const { mode, since, until, event_types, dry_run, rate } = c.req.valid('json')
    const { kept, endpoint, row } = await inTransaction(sql, async (tx) => {
      const endpoint = await findActiveEndpoint(tx, c.get('merchantId'), id)
      const { replay: row } = await begin(c, tx, endpoint, {
        mode,
        since: new Date(since),
        until: until === undefined ? null : new Date(until),
        eventTypes: event_types ?? null,
        dryRun: dry_run,
        rate: rate ?? null,
      })
      return { endpoint, row, kept: await keepAnswer(c, tx, 202, success(view(row))) }
    })
    startReplaySoon(dependencies, endpoint, row)
    return c.json(kept, 202)
  })

  app.openapi(replay, async (c) => {
    const { id } = c.req.valid('param')
    const { since, until, event_types } = c.req.valid('json')
    const { kept, endpoint, row } = await inTransaction(sql, async (tx) => {
      const endpoint = await findActiveEndpoint(tx, c.get('merchantId'), id)
      const { replay: row, renewed } = await begin(c, tx, endpoint, {
        mode: 'all',
        since: new Date(since),
        until: new Date(until),
        eventTypes: event_types ?? null,
        dryRun: false,
        rate: null,
      })
      const body = success({ ...view(row), deliveries: renewed })
      return { endpoint, row, kept: await keepAnswer(c, tx, 202, body) }
    })
    startReplaySoon(dependencies, endpoint, row)
    return c.json(kept, 202)
  })

  app.openapi(list, async (c) => {
    const { id } = c.req.valid('param')
    const query = c.req.valid('query')
    if (!(await findEndpoint(sql, c.get('merchantId'), id))) throw notFound('webhook endpoint', id)
    const rows = await listReplays(sql, id, toSlice(query))
    return c.json(successPage(toPage(query, rows, view, (row) => row.id)), 200)
  })

  app.openapi(get, async (c) => {
    const { id, replay_id: replayId } = c.req.valid('param')
    const row = await findReplay(sql, c.get('merchantId'), id, replayId)
    if (!row) throw notFound('replay', replayId)
    return c.json(success(view(row)), 200)
  })

  app.openapi(cancel, async (c) => {
    const { id, replay_id: replayId } = c.req.valid('param')
    const merchantId = c.get('merchantId')
    const { kept, endpoint, row } = await inTransaction(sql, async (tx) => {
      const row = await cancelReplay(tx, merchantId, id, replayId)
      const endpoint = await findEndpoint(tx, merchantId, id)
      if (!row || !endpoint) throw notFound('replay', replayId)
      const data = { replay_id: replayId, sent: row.sent, matched: row.matched }
      await appendAudit(tx, endpointAudit(c, 'webhook_endpoint.replay_cancelled', endpoint, data))
      return { endpoint, row, kept: await keepAnswer(c, tx, 200, success(view(row))) }
    })
    startReplaySoon(dependencies, endpoint, row)
    return c.json(kept, 200)
  })
}

/** Creates the replay and its audit entry. */
async function begin(
  c: { get(key: 'actor'): string },
  tx: Transaction,
  endpoint: EndpointRow,
  wanted: NewReplay,
) {
  const created = await createReplay(tx, endpoint, wanted)
  const { since, until, event_types, mode, id, matched } = view(created.replay)
  if (!wanted.dryRun) {
    await appendAudit(
      tx,
      endpointAudit(c, 'webhook_endpoint.replayed', endpoint, {
        since,
        until,
        event_types,
        mode,
        replay_id: id,
        matched,
      }),
    )
  }
  return created
}

/** Starts the workflow of a replay that has work left, or lets a running one see that it was cancelled. */
function startReplaySoon(
  dependencies: ApiDependencies,
  { id: endpointId, merchant_id: merchantId, url }: EndpointRow,
  { id, status }: ReplayRow,
): void {
  if (status !== 'running' && status !== 'cancelled') return
  startSoon(dependencies, `replay ${id}`, (client) =>
    startWebhookReplay(client, { id, endpointId, merchantId, url }),
  )
}

function view(row: ReplayRow): WebhookReplay {
  return {
    id: row.id,
    endpoint_id: row.endpoint_id,
    mode: row.mode,
    since: row.since.toISOString(),
    until: row.until.toISOString(),
    event_types: row.event_types,
    dry_run: row.dry_run,
    rate: row.rate,
    status: row.status,
    failure: row.failure,
    matched: row.matched,
    sent: row.sent,
    delivered: row.delivered,
    failed: row.failed,
    created_at: row.created_at.toISOString(),
    finished_at: row.finished_at?.toISOString() ?? null,
  }
}
