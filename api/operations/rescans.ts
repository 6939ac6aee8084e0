/** Routes of the operator: scan blocks again that the watcher has passed. */

import { createRoute, z } from '@hono/zod-openapi'
import { createRescan } from '../../db/chain/rescans/create-rescan.js'
import { findRescan } from '../../db/chain/rescans/find-rescan.js'
import { rescanView } from '../../db/chain/rescans/rescan-row.js'
import { inTransaction } from '../../db/connect.js'
import { findNetwork } from '../../domain/chain/network.js'
import { NewRescan, Rescan } from '../../wire/rescan.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, success } from '../http/answer.js'
import { notFound } from '../http/not-found.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { startRescanSoon } from '../start/start-rescan-soon.js'

const create = createRoute({
  ...secured('operator'),
  method: 'post',
  path: '/admin/rescan',
  summary: 'Scan a transaction, a range of blocks or an address again, and credit what was missed',
  description:
    'What the watcher recorded stays as it is. What it missed is credited as any deposit, once, also when the same blocks are scanned twice or by the watcher at the same moment.',
  tags: ['Operator'],
  request: { body: { required: true, content: { 'application/json': { schema: NewRescan } } } },
  responses: { 202: answer(Rescan, 'Queued') },
})

const get = createRoute({
  ...secured('operator'),
  method: 'get',
  path: '/admin/rescan/{id}',
  summary: 'One rescan with its progress and what it found',
  tags: ['Operator'],
  request: { params: z.object({ id: z.string() }) },
  responses: { 200: answer(Rescan) },
})

/** Registers the routes. */
export function registerRescanRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks } = dependencies

  app.openapi(create, async (c) => {
    const body = c.req.valid('json')
    const network = findNetwork(networks, body.network)
    const done = await inTransaction(sql, async (tx) => {
      const row = await createRescan(tx, network, body, {
        merchantId: c.get('merchantId'),
        actor: c.get('actor'),
        createdBy: c.get('initiator'),
      })
      return { row, kept: await keepAnswer(c, tx, 202, success(rescanView(row))) }
    })
    startRescanSoon(dependencies, done.row)
    return c.json(done.kept, 202)
  })

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param')
    const row = await findRescan(sql, id)
    if (!row) throw notFound('rescan', id)
    return c.json(success(rescanView(row)), 200)
  })
}
