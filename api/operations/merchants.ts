/** Routes with which the operator sees merchants, suspends and resumes them, and decides about their rails. */

import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { inTransaction, type Queryable, type Transaction } from '../../db/connect.js'
import {
  decideRail,
  type MerchantDecision,
  resumeMerchant,
  suspendMerchant,
} from '../../db/merchants/decide-merchant.js'
import { listDecisions, listMerchants, type MerchantRow } from '../../db/merchants/list-merchants.js'
import { findCoin, findNetwork } from '../../domain/chain/network.js'
import { DecideMerchant, DecideRail, Merchant, MerchantWithDecisions } from '../../wire/merchant.js'
import { Paging } from '../../wire/paging.js'
import type { ApiApp, ApiDependencies, ApiEnv } from '../context.js'
import { awaitSends } from '../controls/await-sends.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { jsonBody } from '../http/json-body.js'
import { notFound } from '../http/not-found.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'

const params = z.object({ id: z.string().max(255) })
const tags = ['Operator']
const responses = { 200: answer(MerchantWithDecisions) }
const STAGE = { intake: 'intake', active: 'approved', suspended: 'suspended' } as const

const list = createRoute({
  ...secured('operator'),
  method: 'get',
  path: '/admin/merchants',
  summary: 'Merchants, newest first',
  tags,
  request: { query: Paging },
  responses: { 200: listAnswer(Merchant) },
})

const get = createRoute({
  ...secured('operator'),
  method: 'get',
  path: '/admin/merchants/{id}',
  summary: 'One merchant, and what was decided about it',
  tags,
  request: { params },
  responses,
})

const suspend = createRoute({
  ...secured('operator'),
  method: 'post',
  path: '/admin/merchants/{id}/suspend',
  summary: 'Suspend a merchant: nothing new is made, and what is approved waits',
  description:
    'Payments, addresses and withdrawals are refused with 403 `MERCHANT_SUSPENDED`. Watching and crediting go on.',
  tags,
  request: { params, ...jsonBody(DecideMerchant) },
  responses,
})

const resume = createRoute({
  ...secured('operator'),
  method: 'post',
  path: '/admin/merchants/{id}/resume',
  summary: 'End the suspension of a merchant',
  tags,
  request: { params, ...jsonBody(DecideMerchant) },
  responses,
})

const rails = createRoute({
  ...secured('operator'),
  method: 'post',
  path: '/admin/merchants/{id}/rails',
  summary: 'Enable or disable a coin of a network for a merchant',
  description:
    'A rail that is off refuses payments, addresses and withdrawals. What is paid to its addresses is credited all the same.',
  tags,
  request: { params, ...jsonBody(DecideRail) },
  responses,
})

/** Registers `/admin/merchants`. */
export function registerMerchantRoutes(app: ApiApp, { sql, networks }: ApiDependencies): void {
  const decide = async (
    c: Context<ApiEnv>,
    { reason, evidence = null }: { readonly reason: string; readonly evidence?: unknown },
    id: string,
    act: (tx: Transaction, decision: MerchantDecision) => Promise<void>,
  ): Promise<{ success: true; data: MerchantWithDecisions }> =>
    inTransaction(sql, async (tx) => {
      await act(tx, { merchantId: id, reason, evidence, actor: c.get('actor') })
      return keepAnswer(c, tx, 200, success(await view(tx, id)))
    })

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const rows = await listMerchants(sql, toSlice(query))
    return c.json(successPage(toPage(query, rows, viewMerchant, (row) => row.id)), 200)
  })

  app.openapi(get, async (c) => c.json(success(await view(sql, c.req.valid('param').id)), 200))

  app.openapi(suspend, async (c) => {
    const { id } = c.req.valid('param')
    const kept = await decide(c, c.req.valid('json'), id, suspendMerchant)
    // What is being sent at this moment ends before the answer.
    await awaitSends(sql, { merchantId: id, network: null, coin: null })
    return c.json(kept, 200)
  })

  app.openapi(resume, async (c) => {
    const { id } = c.req.valid('param')
    return c.json(await decide(c, c.req.valid('json'), id, resumeMerchant), 200)
  })

  app.openapi(rails, async (c) => {
    const { id } = c.req.valid('param')
    const { network, coin, enabled, ...decision } = c.req.valid('json')
    findCoin(findNetwork(networks, network), coin)
    const kept = await decide(c, decision, id, (tx, decided) =>
      decideRail(tx, { ...decided, network, coin, enabled }),
    )
    return c.json(kept, 200)
  })
}

async function view(sql: Queryable, id: string): Promise<MerchantWithDecisions> {
  const [row] = await listMerchants(sql, { before: null, offset: 0, take: 1 }, id)
  if (!row) throw notFound('merchant', id)
  const decisions = await listDecisions(sql, id)
  return {
    ...viewMerchant(row),
    decisions: decisions.map(({ decided_at, ...decision }) => ({
      ...decision,
      decided_at: decided_at.toISOString(),
    })),
  }
}

function viewMerchant({ id, name, status, rails: enabled, created_at }: MerchantRow): Merchant {
  return { id, name, stage: STAGE[status], rails: enabled, created_at: created_at.toISOString() }
}
