/** Routes of the reconciliation: start a run, list runs, read one and what it found. */

import { createRoute, z } from '@hono/zod-openapi'
import { firstBlock } from '../../db/auditor/first-block.js'
import { findRun, listDifferences, listRuns, readRun } from '../../db/books/reconciliation/read-run.js'
import { type DifferenceRow, reconciliationView } from '../../db/books/reconciliation/run-row.js'
import { startReconciliation } from '../../db/books/reconciliation/start-reconciliation.js'
import { inTransaction, type Sql } from '../../db/connect.js'
import { RECONCILIATION_SCOPES } from '../../domain/books/difference.js'
import { findNetwork, type Network } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import {
  DifferenceFilter,
  FoundDifference,
  NewReconciliationRun,
  ReconciliationRun,
  ReconciliationRunFilter,
} from '../../wire/reconciliation.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { notFound } from '../http/not-found.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { startReconciliationSoon } from '../start/start-reconciliation-soon.js'

const tags = ['Reconciliation']
const params = z.object({ id: z.string() })

const create = createRoute({
  ...secured('reconciliation'),
  method: 'post',
  path: '/reconciliation/runs',
  summary: 'Compare the books. A run reads and never repairs',
  description:
    '429 `RATE_LIMITED` while too many runs of the merchant have not ended. 422 `BLOCK_NOT_SCANNED` for a height below the first block of the books.',
  tags,
  request: { body: { required: true, content: { 'application/json': { schema: NewReconciliationRun } } } },
  responses: { 201: answer(ReconciliationRun, 'Running') },
})

const list = createRoute({
  ...secured('read', 'reconciliation'),
  method: 'get',
  path: '/reconciliation/runs',
  summary: 'Reconciliations, newest first, without what they found',
  tags,
  request: { query: ReconciliationRunFilter },
  responses: { 200: listAnswer(ReconciliationRun) },
})

const get = createRoute({
  ...secured('read', 'reconciliation'),
  method: 'get',
  path: '/reconciliation/runs/{id}',
  summary: 'One reconciliation with its progress, and what its checks found',
  tags,
  request: { params },
  responses: { 200: answer(ReconciliationRun) },
})

const differences = createRoute({
  ...secured('read', 'reconciliation'),
  method: 'get',
  path: '/reconciliation/runs/{id}/differences',
  summary: 'What a check of a reconciliation found, in the order in which it was found',
  description:
    'A check counts every difference and stores the first 10,000, and the first 1,000 things that are not due yet.',
  tags,
  request: { params, query: DifferenceFilter },
  responses: { 200: listAnswer(FoundDifference) },
})

/** Registers `/reconciliation/runs`. */
export function registerReconciliationRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks, environment } = dependencies

  app.openapi(create, async (c) => {
    const body = c.req.valid('json')
    for (const name of body.networks ?? [])
      await requireKnown(sql, findNetwork(networks, name), body.at_block)
    const done = await inTransaction(sql, async (tx) => {
      const row = await startReconciliation(tx, {
        merchantId: c.get('merchantId'),
        cause: 'request',
        scope: body.scope ?? RECONCILIATION_SCOPES,
        networks: body.networks ?? null,
        atBlock: body.at_block ?? null,
        createdBy: c.get('initiator'),
        actor: c.get('actor'),
        mostOpen: environment.KEYTURN_RECONCILIATION_RUNS,
      })
      return { row, kept: await keepAnswer(c, tx, 201, success(reconciliationView(row, [], []))) }
    })
    startReconciliationSoon(dependencies, done.row)
    return c.json(done.kept, 201)
  })

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const rows = await listRuns(sql, c.get('merchantId'), toSlice(query))
    return c.json(
      successPage(
        toPage(
          query,
          rows,
          (row) => row,
          (row) => row.id,
        ),
      ),
      200,
    )
  })

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param')
    const run = await readRun(sql, c.get('merchantId'), id)
    if (!run) throw notFound('reconciliation', id)
    return c.json(success(run), 200)
  })

  app.openapi(differences, async (c) => {
    const { id } = c.req.valid('param')
    const query = c.req.valid('query')
    if (!(await findRun(sql, c.get('merchantId'), id))) throw notFound('reconciliation', id)
    const check = { runId: id, name: query.check, due: query.expected !== 'true' }
    const rows = await listDifferences(sql, check, toSlice(query))
    return c.json(successPage(toPage(query, rows, view, (row) => String(row.number))), 200)
  })
}

/** Requires that the books know the chain at the height. @throws KeyturnError `BLOCK_NOT_SCANNED`. */
async function requireKnown(sql: Sql, network: Network, height: number | undefined): Promise<void> {
  if (height === undefined) return
  const first = await firstBlock(sql, network)
  if (first === null || height >= first) return
  throw new KeyturnError(
    'BLOCK_NOT_SCANNED',
    `The books of ${network.name} begin at block ${first}; ask for that one, or for a later one`,
    { details: { network: network.name, at_block: height, first_height: first } },
  )
}

function view({ check_name, number, data }: DifferenceRow): FoundDifference {
  return { check: check_name, number, difference: data }
}
