/** Routes of the exception queue: list and read it, and raise a dispute. */

import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { type ExceptionRow, toExceptionView } from '../../db/books/exceptions/exception-row.js'
import { findException, listExceptions, readSurroundings } from '../../db/books/exceptions/list-exceptions.js'
import { raiseDispute } from '../../db/books/exceptions/raise-dispute.js'
import type { Queryable, Sql } from '../../db/connect.js'
import { repeatTransaction } from '../../db/repeat-transaction.js'
import { Exception, ExceptionFilter, ExceptionWithHistory, NewDispute } from '../../wire/exception.js'
import type { ApiApp, ApiDependencies, ApiEnv } from '../context.js'
import { deliveryView } from '../events/webhook-deliveries.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { actorOf } from './actor-of.js'
import { FINANCE_ONLY, requireFinance, securedForFinance } from './require-finance.js'

const tags = ['Exceptions']

const list = createRoute({
  ...secured('read', 'reconciliation'),
  method: 'get',
  path: '/exceptions',
  summary: 'Exceptions, newest first',
  tags,
  request: { query: ExceptionFilter },
  responses: { 200: listAnswer(Exception) },
})

const get = createRoute({
  ...secured('read', 'reconciliation'),
  method: 'get',
  path: '/exceptions/{id}',
  summary: 'One exception with its history, that of its payment, and the webhooks about it',
  tags,
  request: { params: z.object({ id: z.string().max(255) }) },
  responses: { 200: answer(ExceptionWithHistory) },
})

const dispute = createRoute({
  ...securedForFinance(),
  method: 'post',
  path: '/exceptions',
  summary: 'Raise a dispute, which holds the value concerned until it is resolved',
  description: `${FINANCE_ONLY} The same subject again gives the dispute that stands.`,
  tags,
  request: { body: { required: true, content: { 'application/json': { schema: NewDispute } } } },
  responses: {
    200: answer(ExceptionWithHistory, 'A dispute of this subject stands already'),
    201: answer(ExceptionWithHistory, 'Raised'),
  },
})

const disputeByOperator = createRoute({
  ...secured('operator'),
  method: 'post',
  path: '/admin/merchants/{id}/exceptions',
  summary: 'Raise a dispute for a merchant, which holds the value concerned until it is resolved',
  description:
    'For the operator. The same subject again gives the dispute that stands. The merchant works on it and resolves it.',
  tags: ['Operator'],
  request: {
    params: z.object({ id: z.string().max(255) }),
    body: { required: true, content: { 'application/json': { schema: NewDispute } } },
  },
  responses: {
    200: answer(ExceptionWithHistory, 'A dispute of this subject stands already'),
    201: answer(ExceptionWithHistory, 'Raised'),
  },
})

/** Registers `/exceptions`, and the operator's way to raise one. */
export function registerExceptionRoutes(app: ApiApp, { sql }: ApiDependencies): void {
  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const rows = await listExceptions(
      sql,
      c.get('merchantId'),
      {
        kind: query.kind,
        status: query.status,
        owner: query.owner,
        overdue: query.overdue === undefined ? undefined : query.overdue === 'true',
        paymentId: query.payment_id,
        userReference: query.user_reference,
      },
      toSlice(query),
    )
    return c.json(successPage(toPage(query, rows, toExceptionView, (row) => row.id)), 200)
  })

  app.openapi(get, async (c) => {
    const row = await findException(sql, c.get('merchantId'), c.req.valid('param').id)
    return c.json(success(await withHistory(sql, row)), 200)
  })

  app.openapi(dispute, async (c) => {
    await requireFinance(c, sql)
    const { isNew, kept } = await raise(c, sql, c.get('merchantId'), c.req.valid('json'))
    return isNew ? c.json(kept, 201) : c.json(kept, 200)
  })

  app.openapi(disputeByOperator, async (c) => {
    const { isNew, kept } = await raise(c, sql, c.req.valid('param').id, c.req.valid('json'))
    return isNew ? c.json(kept, 201) : c.json(kept, 200)
  })
}

/** Raises a dispute and keeps the answer, in one transaction. @throws KeyturnError `NOT_FOUND`. */
async function raise(c: Context<ApiEnv>, sql: Sql, merchantId: string, given: NewDispute) {
  return repeatTransaction(sql, async (tx) => {
    const { id, isNew } = await raiseDispute(tx, merchantId, given, actorOf(c))
    const view = await readException(tx, merchantId, id)
    return { isNew, kept: await keepAnswer(c, tx, isNew ? 201 : 200, success(view)) }
  })
}

/** Returns an exception as its own page shows it. @throws KeyturnError `NOT_FOUND`. */
export async function readException(
  sql: Queryable,
  merchantId: string,
  id: string,
): Promise<ExceptionWithHistory> {
  return withHistory(sql, await findException(sql, merchantId, id))
}

async function withHistory(sql: Queryable, row: ExceptionRow): Promise<ExceptionWithHistory> {
  const { payment_history, deliveries } = await readSurroundings(sql, row)
  return {
    ...toExceptionView(row),
    history: row.history,
    payment_history,
    webhook_deliveries: deliveries.map(deliveryView),
  }
}
