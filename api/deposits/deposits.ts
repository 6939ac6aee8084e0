/** Routes of deposits: list, read, and the decision about a held one. */

import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { inTransaction, type Queryable, type Transaction } from '../../db/connect.js'
import { readPolicy } from '../../db/controls/policy/read-policy.js'
import { rejectDeposit, releaseDeposit } from '../../db/deposits/decide-held-deposit.js'
import { depositView } from '../../db/deposits/deposit-view.js'
import { getDeposit } from '../../db/deposits/get-deposit.js'
import { type ListedDeposit, listDeposits } from '../../db/deposits/list-deposits.js'
import { releasePath, requestRelease } from '../../db/deposits/request-release.js'
import { requireReviewer } from '../../db/payouts/withdrawals/require-reviewer.js'
import { findNetwork, type Networks } from '../../domain/chain/network.js'
import { QUORUM } from '../../domain/controls/approval.js'
import { intentHash } from '../../domain/controls/intent.js'
import { Deposit, DepositAwaitingApproval, DepositFilter, DepositWithHistory } from '../../wire/deposit.js'
import { Reason } from '../../wire/reason.js'
import type { ApiApp, ApiDependencies, ApiEnv } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { canonicalQuery } from '../http/canonical-query.js'
import { notFound } from '../http/not-found.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { startControlChangeSoon } from '../start/start-control-change-soon.js'

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/deposits',
  summary: 'Deposits, newest first',
  tags: ['Deposits'],
  request: {
    query: DepositFilter,
  },
  responses: { 200: listAnswer(Deposit) },
})

const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/deposits/{id}',
  summary: 'One deposit with its history',
  tags: ['Deposits'],
  request: { params: z.object({ id: z.string() }) },
  responses: { 200: answer(DepositWithHistory) },
})

const decide = {
  ...secured('admin', 'approvals'),
  method: 'post' as const,
  tags: ['Deposits'],
  description:
    'Needs the scope `admin` or a person with the role `reviewer`. 409 `INVALID_STATE` unless the deposit is held.',
  request: {
    params: z.object({ id: z.string().max(255) }),
    body: {
      required: true,
      content: {
        'application/json': { schema: Reason },
      },
    },
  },
}

const release = createRoute({
  ...decide,
  path: '/deposits/{id}/release',
  summary: 'Release a held deposit, which credits it once',
  responses: {
    200: answer(DepositWithHistory, 'Credited'),
    202: answer(DepositAwaitingApproval, 'Waits for two approvals, as the policy requires'),
  },
})

const reject = createRoute({
  ...decide,
  path: '/deposits/{id}/reject',
  summary: 'Reject a held deposit, which stays held. It can be returned only by a withdrawal',
  responses: { 200: answer(DepositWithHistory, 'Stays held') },
})

/** Registers `/deposits`. */
export function registerDepositRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks, environment } = dependencies

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const rows = await listDeposits(
      sql,
      c.get('merchantId'),
      {
        userReference: query.user_reference,
        network: query.network,
        coin: query.coin,
        status: query.status,
        address: canonicalQuery(query.address, networks),
        transactionHash: query.transaction_hash?.toLowerCase(),
        paymentId: query.payment_id,
        from: query.from_date,
        to: query.to_date,
      },
      toSlice(query),
    )
    return c.json(
      successPage(
        toPage(
          query,
          rows,
          (row) => view(networks, row),
          (row) => row.id,
        ),
      ),
      200,
    )
  })

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param')
    const row = await getDeposit(sql, c.get('merchantId'), id)
    if (!row) throw notFound('deposit', id)
    return c.json(success({ ...view(networks, row), history: row.history }), 200)
  })

  const readView = async (tx: Queryable, merchantId: string, id: string) => {
    const row = await getDeposit(tx, merchantId, id)
    if (!row) throw notFound('deposit', id)
    return { ...view(networks, row), history: row.history }
  }
  const requestOf = async (c: Context<ApiEnv>, tx: Transaction, id: string, reason: string) => {
    const merchantId = c.get('merchantId')
    const admin = c.get('scopes').includes('admin')
    if (!admin) await requireReviewer(tx, { merchantId, personId: c.get('personId'), admin })
    return { merchantId, id, reason, by: c.get('initiator'), actor: c.get('actor') }
  }

  app.openapi(release, async (c) => {
    const { id } = c.req.valid('param')
    const merchantId = c.get('merchantId')
    const done = await inTransaction(sql, async (tx) => {
      const ask = await requestOf(c, tx, id, c.req.valid('json').reason)
      const { policy } = await readPolicy(tx, merchantId)
      if (policy.held_deposits.release_approvals === 1) {
        await releaseDeposit(tx, networks, ask)
        const kept = await keepAnswer(c, tx, 200, success(await readView(tx, merchantId, id)))
        return { waits: null, kept }
      }
      const expiryMs = environment.KEYTURN_CHANGE_EXPIRY
      const intent = await requestRelease(tx, networks, { ...ask, expiryMs })
      const approval = {
        path: releasePath(intent.release),
        intent_hash: intentHash(intent),
        required: QUORUM,
        expires_at: intent.expires_at,
      }
      const body = success({ ...(await readView(tx, merchantId, id)), approval })
      return { waits: intent.release, kept: await keepAnswer(c, tx, 202, body) }
    })
    if (done.waits === null) return c.json(done.kept, 200)
    startControlChangeSoon(dependencies, done.waits)
    return c.json(done.kept, 202)
  })

  app.openapi(reject, async (c) => {
    const { id } = c.req.valid('param')
    const kept = await inTransaction(sql, async (tx) => {
      await rejectDeposit(tx, networks, await requestOf(c, tx, id, c.req.valid('json').reason))
      return keepAnswer(c, tx, 200, success(await readView(tx, c.get('merchantId'), id)))
    })
    return c.json(kept, 200)
  })
}

function view(networks: Networks, row: ListedDeposit): Deposit {
  const height = row.scanned_height === null ? null : Number(row.scanned_height)
  return depositView(findNetwork(networks, row.network), row, height)
}
