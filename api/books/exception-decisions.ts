/** Routes of what people do about exceptions: assign, comment and resolve, one or many. */

import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import {
  addComment,
  assignException,
  commentException,
  type LockedException,
  lockException,
  lockExceptions,
  resolveException,
  setRootCause,
} from '../../db/books/exceptions/change-exception.js'
import { endExpiredProposals } from '../../db/books/exceptions/end-expired-proposals.js'
import { toExceptionView } from '../../db/books/exceptions/exception-row.js'
import { findException } from '../../db/books/exceptions/list-exceptions.js'
import { lockHeldAccounts } from '../../db/books/exceptions/lock-held-accounts.js'
import { requireFree } from '../../db/books/exceptions/propose-resolution.js'
import type { Transaction } from '../../db/connect.js'
import { repeatTransaction } from '../../db/repeat-transaction.js'
import {
  ExceptionAssignment,
  ExceptionBulk,
  ExceptionBulkDone,
  ExceptionWithHistory,
  NewExceptionComment,
} from '../../wire/exception.js'
import type { ApiApp, ApiDependencies, ApiEnv } from '../context.js'
import { answer, success } from '../http/answer.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { actorOf } from './actor-of.js'
import { readException } from './exceptions.js'
import { FINANCE_ONLY, requireFinance, securedForFinance } from './require-finance.js'

const tags = ['Exceptions']
const params = z.object({ id: z.string().max(255) })
const shared = { ...securedForFinance(), method: 'post' as const, description: FINANCE_ONLY, tags }

const assign = createRoute({
  ...shared,
  path: '/exceptions/{id}/assign',
  summary: 'Give an exception to a person',
  request: {
    params,
    body: { required: true, content: { 'application/json': { schema: ExceptionAssignment } } },
  },
  responses: { 200: answer(ExceptionWithHistory) },
})

const comment = createRoute({
  ...shared,
  path: '/exceptions/{id}/comments',
  summary: 'Add a comment',
  request: {
    params,
    body: { required: true, content: { 'application/json': { schema: NewExceptionComment } } },
  },
  responses: { 201: answer(ExceptionWithHistory) },
})

const bulk = createRoute({
  ...shared,
  path: '/exceptions/bulk',
  summary: 'The same act for up to 500 exceptions: all or nothing',
  request: { body: { required: true, content: { 'application/json': { schema: ExceptionBulk } } } },
  responses: { 200: answer(ExceptionBulkDone) },
})

/** Registers what changes exceptions without moving money. */
export function registerExceptionDecisionRoutes(app: ApiApp, { sql }: ApiDependencies): void {
  const change = async (
    c: Context<ApiEnv>,
    id: string,
    status: 200 | 201,
    act: (tx: Transaction, row: LockedException) => Promise<void>,
  ) =>
    repeatTransaction(sql, async (tx) => {
      await requireFinance(c, tx)
      const merchantId = c.get('merchantId')
      await act(tx, await lockException(tx, merchantId, id))
      return keepAnswer(c, tx, status, success(await readException(tx, merchantId, id)))
    })

  app.openapi(assign, async (c) => {
    const { owner } = c.req.valid('json')
    const body = await change(c, c.req.valid('param').id, 200, (tx, row) =>
      assignException(tx, row, owner, actorOf(c)),
    )
    return c.json(body, 200)
  })

  app.openapi(comment, async (c) => {
    const { text } = c.req.valid('json')
    const body = await change(c, c.req.valid('param').id, 201, (tx, row) =>
      addComment(tx, row, text, actorOf(c)),
    )
    return c.json(body, 201)
  })

  app.openapi(bulk, async (c) => {
    const request = c.req.valid('json')
    const merchantId = c.get('merchantId')
    const kept = await repeatTransaction(sql, async (tx) => {
      await requireFinance(c, tx)
      const ids = [...new Set(request.ids)]
      if (request.action === 'resolve') await endExpiredProposals(tx, merchantId, ids)
      const rows = await lockExceptions(tx, merchantId, ids)
      if (request.action === 'resolve') await lockHeldAccounts(tx, merchantId, ids)
      for (const row of rows) {
        await actOn(tx, row, request, c)
      }
      const exceptions = await Promise.all(ids.map((id) => findException(tx, merchantId, id)))
      const done = {
        action: request.action,
        changed: ids.length,
        exceptions: exceptions.map(toExceptionView),
      }
      return keepAnswer(c, tx, 200, success(done))
    })
    return c.json(kept, 200)
  })
}

async function actOn(
  tx: Transaction,
  row: LockedException,
  request: z.output<typeof ExceptionBulk>,
  c: Context<ApiEnv>,
): Promise<void> {
  const actor = actorOf(c)
  switch (request.action) {
    case 'assign':
      return assignException(tx, row, request.owner, actor)
    case 'comment':
      return addComment(tx, row, request.text, actor)
    case 'resolve':
      return resolveWithout(tx, row, request, actor)
  }
}

/**
 * Resolves an exception without a journal, with a comment and, if it is known, the root cause.
 *
 * @throws KeyturnError `INVALID_STATE`, also while another resolution of it is under way.
 */
export async function resolveWithout(
  tx: Transaction,
  row: LockedException,
  { comment, root_cause: rootCause }: { readonly comment: string; readonly root_cause?: string | undefined },
  actor: ReturnType<typeof actorOf>,
): Promise<void> {
  await requireFree(tx, row)
  await resolveException(tx, row, 'none', actor, { comment })
  await commentException(tx, row, comment, actor)
  if (rootCause !== undefined) await setRootCause(tx, row, rootCause, actor)
}
