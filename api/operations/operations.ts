/** Routes for operators: health and readiness without authentication, and metrics with a token. */

import { createHash, timingSafeEqual } from 'node:crypto'
import { createRoute, z } from '@hono/zod-openapi'
import type { WorkflowClient } from '@temporalio/client'
import type { Sql } from '../../db/connect.js'
import { listCursors, listWaits } from '../../db/networks/list-cursors.js'
import { countSigners } from '../../db/operations/count-signers.js'
import { listNodes } from '../../db/operations/list-nodes.js'
import { pingDatabase } from '../../db/operations/ping-database.js'
import type { Networks } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import { type Dependency, Health, Readiness } from '../../wire/readiness.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { describeNetwork, describeSigners } from '../describe-dependencies.js'
import { answer, success } from '../http/answer.js'
import type { Metrics } from '../metrics/metrics.js'

const READY_TIMEOUT_MS = 2_000

const health = createRoute({
  method: 'get',
  path: '/healthz',
  summary: 'Whether this process is alive',
  tags: ['Operations'],
  responses: { 200: answer(Health) },
})

const ready = createRoute({
  method: 'get',
  path: '/readyz',
  summary: 'Whether this process can serve requests',
  tags: ['Operations'],
  responses: {
    200: answer(Readiness, 'Ready'),
    503: {
      description: 'Not ready',
      content: {
        'application/json': { schema: z.object({ success: z.literal(false), data: Readiness }) },
      },
    },
  },
})

const metricsRoute = createRoute({
  method: 'get',
  path: '/metrics',
  summary: 'Prometheus metrics',
  description:
    'KEYTURN_METRICS_PORT serves them without a token, by default on the loopback address only. This path needs `Authorization: Bearer` with KEYTURN_METRICS_TOKEN, and is 404 if no token is set.',
  tags: ['Operations'],
  responses: { 200: { description: 'Text exposition', content: { 'text/plain': { schema: z.string() } } } },
})

/** Registers `/healthz`, `/readyz` and `/metrics`. */
export function registerOperationRoutes(
  app: ApiApp,
  { sql, temporal, networks, environment }: ApiDependencies,
  metrics: Metrics,
): void {
  app.openapi(health, (c) => c.json(success({ status: 'ok' as const }), 200))

  app.openapi(ready, async (c) => {
    const [postgres, workflows] = await Promise.all([
      within(pingDatabase(sql)),
      temporal ? within(ping(temporal.workflow)) : ('not_configured' as const),
    ])
    const rest = postgres === 'ok' ? await dependenciesOf(sql, networks) : []
    const dependencies = [
      parts('postgres', postgres === 'ok', true),
      parts('temporal', workflows !== 'down', false),
      ...rest,
    ]
    const data = { postgres, temporal: workflows, dependencies }
    return postgres === 'ok'
      ? c.json(success({ status: 'ready' as const, ...data }), 200)
      : c.json({ success: false as const, data: { status: 'not_ready' as const, ...data } }, 503)
  })

  app.openapi(metricsRoute, async (c) => {
    requireToken(environment.KEYTURN_METRICS_TOKEN, c.req.header('authorization'))
    const { contentType, body } = await metrics.expose()
    return c.text(body, 200, { 'Content-Type': contentType })
  })
}

const parts = (name: string, ok: boolean, needed: boolean): Dependency => ({
  name,
  ok,
  needed,
  reason: ok ? null : 'It does not answer',
  lag_seconds: null,
})

/** Returns the state of networks and signers from their rows. Empty while the rows cannot be read. */
async function dependenciesOf(sql: Sql, networks: Networks): Promise<Dependency[]> {
  try {
    const [cursors, waits, nodes, signers] = await Promise.all([
      listCursors(sql),
      listWaits(sql),
      listNodes(sql),
      countSigners(sql),
    ])
    const now = new Date()
    return [
      ...[...networks.values()].map((network) =>
        describeNetwork(
          network,
          cursors.find((each) => each.network === network.name),
          nodes,
          now,
          waits.get(network.name),
        ),
      ),
      describeSigners(signers),
    ]
  } catch {
    return []
  }
}

/** Requires the token. @throws KeyturnError `NOT_FOUND` if none is set, `INVALID_API_KEY` if it is not the one sent. */
function requireToken(token: string | undefined, authorization: string | undefined): void {
  if (token === undefined) {
    throw new KeyturnError(
      'NOT_FOUND',
      'Metrics are served on KEYTURN_METRICS_PORT. Set KEYTURN_METRICS_TOKEN to serve them here as well',
    )
  }
  const digest = (text: string) => createHash('sha256').update(text).digest()
  if (timingSafeEqual(digest(authorization ?? ''), digest(`Bearer ${token}`))) return
  throw new KeyturnError(
    'INVALID_API_KEY',
    'Send Authorization: Bearer with the token of KEYTURN_METRICS_TOKEN',
  )
}

function ping(client: WorkflowClient): Promise<unknown> {
  return client.connection.withDeadline(Date.now() + READY_TIMEOUT_MS, () =>
    client.workflowService.getSystemInfo({}),
  )
}

async function within(question: PromiseLike<unknown>): Promise<'ok' | 'down'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'down'>((resolve) => {
    timer = setTimeout(() => resolve('down'), READY_TIMEOUT_MS)
  })
  try {
    return await Promise.race([
      Promise.resolve(question).then(
        () => 'ok' as const,
        () => 'down' as const,
      ),
      late,
    ])
  } finally {
    clearTimeout(timer)
  }
}
