/** Routes of policy changes: list, read and revoke. */

import { createRoute, z } from '@hono/zod-openapi'
import { inTransaction, type Queryable } from '../../db/connect.js'
import { changeNotFound } from '../../db/controls/changes/find-control-change.js'
import { revokeControlChange } from '../../db/controls/changes/revoke-control-change.js'
import { listPolicyChanges, toPolicyChangeView } from '../../db/controls/policy/policy-change-view.js'
import { Paging } from '../../wire/paging.js'
import { PolicyChange } from '../../wire/policy.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { startControlChangeSoon } from '../start/start-control-change-soon.js'

const params = z.object({ id: z.string().max(255) })

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/policy/changes',
  summary: 'Changes of the policy, newest first',
  tags: ['Policy'],
  request: { query: Paging },
  responses: { 200: listAnswer(PolicyChange) },
})

const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/policy/changes/{id}',
  summary: 'One change of the policy',
  tags: ['Policy'],
  request: { params },
  responses: { 200: answer(PolicyChange) },
})

const revoke = createRoute({
  ...secured('policy'),
  method: 'delete',
  path: '/policy/changes/{id}',
  summary: 'Revoke the fields that are not in effect yet',
  tags: ['Policy'],
  request: { params },
  responses: { 200: answer(PolicyChange, 'Revoked') },
})

/** Registers `/policy/changes`. Their `/intent` and `/approvals` are in `approvals.ts`. */
export function registerPolicyChangeRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql } = dependencies

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const rows = await listPolicyChanges(sql, c.get('merchantId'), toSlice(query))
    return c.json(successPage(toPage(query, rows, toPolicyChangeView, (row) => row.id)), 200)
  })

  app.openapi(get, async (c) => {
    return c.json(success(await viewPolicyChange(sql, c.get('merchantId'), c.req.valid('param').id)), 200)
  })

  app.openapi(revoke, async (c) => {
    const { id } = c.req.valid('param')
    const merchantId = c.get('merchantId')
    const actor = c.get('actor')
    await inTransaction(sql, (tx) => revokeControlChange(tx, 'policy', { merchantId, id, actor }))
    startControlChangeSoon(dependencies, id, (handle) => handle.signal('revoked'))
    return c.json(success(await viewPolicyChange(sql, merchantId, id)), 200)
  })
}

/** Reads the view of a change. @throws KeyturnError `NOT_FOUND`. */
export async function viewPolicyChange(
  sql: Queryable,
  merchantId: string,
  id: string,
): Promise<PolicyChange> {
  const [row] = await listPolicyChanges(sql, merchantId, { before: null, offset: 0, take: 1 }, id)
  if (!row) throw changeNotFound('policy', id)
  return toPolicyChangeView(row)
}
