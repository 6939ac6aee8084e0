/** Routes of batches: many payouts under one round of approvals. */

import { createRoute, z } from '@hono/zod-openapi'
import { inTransaction, type Queryable } from '../../db/connect.js'
import { cancelBatch } from '../../db/payouts/batches/cancel-batch.js'
import { createBatch } from '../../db/payouts/batches/create-batch.js'
import { listBatches } from '../../db/payouts/batches/list-batches.js'
import { readBatchView, toBatchSummary } from '../../db/payouts/batches/read-batch-view.js'
import { reviewBatch } from '../../db/payouts/batches/review-batch.js'
import { findCoin, findNetwork } from '../../domain/chain/network.js'
import { ReviewDecision } from '../../wire/approval.js'
import { Batch, BatchFilter, BatchSummary, NewBatch } from '../../wire/batch.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { notFound } from '../http/not-found.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { startBatchSoon } from '../start/start-batch-soon.js'
import { checkBatchOutputs } from './check-batch-outputs.js'
import { originOf } from './withdrawal-request.js'

const params = z.object({ id: z.string().max(255) })

const create = createRoute({
  ...secured('withdrawals'),
  method: 'post',
  path: '/withdrawals/batch',
  summary: 'Request many payouts at once, under one round of approvals',
  description:
    'One invalid output refuses the whole batch, and `details.outputs` lists it. Two outputs to one address stay two.',
  tags: ['Batches'],
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: NewBatch,
        },
      },
    },
  },
  responses: { 201: answer(Batch, 'Accepted. The amounts and the fee limit are held') },
})

const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/batches/{id}',
  summary: 'One batch with its items',
  tags: ['Batches'],
  request: { params },
  responses: { 200: answer(Batch) },
})

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/batches',
  summary: 'Batches, newest first, without their items',
  tags: ['Batches'],
  request: {
    query: BatchFilter,
  },
  responses: { 200: listAnswer(BatchSummary) },
})

const cancel = createRoute({
  ...secured('withdrawals'),
  method: 'delete',
  path: '/batches/{id}',
  summary: 'Cancel a batch that is not approved yet, and release its hold',
  tags: ['Batches'],
  request: { params },
  responses: { 200: answer(Batch, 'Cancelled') },
})

const review = createRoute({
  ...secured('admin', 'approvals'),
  method: 'post',
  path: '/batches/{id}/review',
  summary: 'Review a risky batch. Its approvals are needed all the same',
  description: 'Needs a person with the scope `admin` or the role `reviewer` who did not request the batch.',
  tags: ['Batches'],
  request: {
    params,
    body: {
      required: true,
      content: {
        'application/json': {
          schema: ReviewDecision,
        },
      },
    },
  },
  responses: { 200: answer(Batch, 'Decided') },
})

/** Registers `/withdrawals/batch` and `/batches`. A batch's `/intent` and `/approvals` are in `approvals.ts`. */
export function registerBatchRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks, environment } = dependencies

  app.openapi(create, async (c) => {
    const { batch_withdrawal: batch, user_reference, external_id } = c.req.valid('json')
    const merchantId = c.get('merchantId')
    const network = findNetwork(networks, batch.network)
    const coin = findCoin(network, batch.coin)
    const items = checkBatchOutputs(network, coin, batch.outputs)
    const { id, kept } = await inTransaction(sql, async (tx) => {
      const id = await createBatch(tx, networks, {
        merchantId,
        network,
        coin,
        items,
        priority: batch.priority,
        userReference: user_reference ?? null,
        externalId: external_id ?? null,
        initiator: c.get('initiator'),
        actor: c.get('actor'),
        ...originOf(dependencies, c.get('clientIp')),
        expiryMs: environment.KEYTURN_WITHDRAWAL_EXPIRY,
        screen: environment.KEYTURN_WITHDRAWAL_SCREENING_URL !== undefined,
        mostOutputs: environment.KEYTURN_BATCH_OUTPUTS,
      })
      return { id, kept: await keepAnswer(c, tx, 201, success(await viewOf(tx, id, merchantId))) }
    })
    startBatchSoon(dependencies, id)
    return c.json(kept, 201)
  })

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const filter = {
      status: query.status,
      network: query.network,
      coin: query.coin,
      userReference: query.user_reference,
      externalId: query.external_id,
    }
    const rows = await listBatches(sql, c.get('merchantId'), filter, toSlice(query))
    const page = toPage(
      query,
      rows,
      (row) => toBatchSummary(networks, row),
      (row) => row.id,
    )
    return c.json(successPage(page), 200)
  })

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param')
    return c.json(success(await viewOf(sql, id, c.get('merchantId'))), 200)
  })

  app.openapi(cancel, async (c) => {
    const { id } = c.req.valid('param')
    const merchantId = c.get('merchantId')
    const actor = c.get('actor')
    await inTransaction(sql, (tx) => cancelBatch(tx, networks, { merchantId, id, actor }))
    startBatchSoon(dependencies, id, (handle) => handle.signal('cancel', { by: actor }))
    return c.json(success(await viewOf(sql, id, merchantId)), 200)
  })

  app.openapi(review, async (c) => {
    const { id } = c.req.valid('param')
    const merchantId = c.get('merchantId')
    const actor = c.get('actor')
    const kept = await inTransaction(sql, async (tx) => {
      await reviewBatch(tx, networks, {
        merchantId,
        id,
        personId: c.get('personId'),
        admin: c.get('scopes').includes('admin'),
        ...c.req.valid('json'),
        actor,
      })
      return keepAnswer(c, tx, 200, success(await viewOf(tx, id, merchantId)))
    })
    startBatchSoon(dependencies, id, (handle) => handle.signal('reviewed', { by: actor }))
    return c.json(kept, 200)
  })

  async function viewOf(queryable: Queryable, id: string, merchantId: string): Promise<Batch> {
    const found = await readBatchView(queryable, networks, id, merchantId)
    if (!found) throw notFound('batch', id)
    return found
  }
}
