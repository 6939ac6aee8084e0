/** Routes for withdrawals that go wrong: retry, refund and investigate. */

import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { inTransaction, type Transaction } from '../../db/connect.js'
import {
  clearInvestigation,
  markForInvestigation,
} from '../../db/payouts/withdrawals/investigate-withdrawal.js'
import type { Decider } from '../../db/payouts/withdrawals/lock-own-withdrawal.js'
import { refundWithdrawal } from '../../db/payouts/withdrawals/refund-withdrawal.js'
import { retryWithdrawal } from '../../db/payouts/withdrawals/retry-withdrawal.js'
import { Reason } from '../../wire/reason.js'
import { Retry, Withdrawal } from '../../wire/withdrawal.js'
import type { ApiApp, ApiDependencies, ApiEnv } from '../context.js'
import { answer, success } from '../http/answer.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { startWithdrawalSoon } from '../start/start-withdrawal-soon.js'
import { readOwnWithdrawal } from './read-own-withdrawal.js'
import { originOf } from './withdrawal-request.js'

const params = z.object({ id: z.string().max(255) })
const withReason = {
  params,
  body: { required: true, content: { 'application/json': { schema: Reason } } },
}

const retry = createRoute({
  ...secured('withdrawals', 'admin'),
  method: 'post',
  path: '/withdrawals/{id}/retry',
  summary: 'Retry a withdrawal: wake one that waits, or request a failed one again',
  description:
    'An open withdrawal answers 200 with itself, and may get other fees while it is unsigned. A failed one is requested again as a new withdrawal (201, `retry_of`) with its own approvals, once it is proven that the old one can no longer be paid.',
  tags: ['Withdrawals'],
  request: {
    params,
    body: {
      required: true,
      content: {
        'application/json': { schema: Retry },
      },
    },
  },
  responses: {
    200: answer(Withdrawal, 'The open withdrawal, which continues at once'),
    201: answer(Withdrawal, 'The new withdrawal, which waits for its own approvals'),
  },
})

const refund = createRoute({
  ...secured('admin', 'approvals'),
  method: 'post',
  path: '/withdrawals/{id}/refund',
  summary: 'Release the hold once it is proven that nothing was or can be paid',
  description:
    'Needs a person with the scope `admin` or the role `reviewer`. 409 `INVALID_STATE` names in `details.reason` what is not proven.',
  tags: ['Withdrawals'],
  request: withReason,
  responses: { 200: answer(Withdrawal, 'Ended. The hold is available again') },
})

const mark = createRoute({
  ...secured('withdrawals', 'approvals', 'admin'),
  method: 'post',
  path: '/withdrawals/{id}/mark-for-investigation',
  summary: 'Hold a withdrawal before the next signature, until it is cleared',
  tags: ['Withdrawals'],
  request: withReason,
  responses: { 200: answer(Withdrawal, 'Marked. An exception is raised') },
})

const clear = createRoute({
  ...secured('admin', 'approvals'),
  method: 'post',
  path: '/withdrawals/{id}/clear-investigation',
  summary: 'Resume a withdrawal that was marked for investigation',
  description: 'Needs a person with the scope `admin` or the role `reviewer`.',
  tags: ['Withdrawals'],
  request: withReason,
  responses: { 200: answer(Withdrawal, 'Cleared. It continues') },
})

/** Registers the four decisions under `/withdrawals/{id}`. */
export function registerWithdrawalRecoveryRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks, environment } = dependencies
  const view = (tx: Transaction, merchantId: string, id: string) =>
    readOwnWithdrawal(tx, networks, merchantId, id)

  app.openapi(retry, async (c) => {
    const decider = deciderOf(c, c.req.valid('param').id)
    const { id, kept } = await inTransaction(sql, async (tx) => {
      const id = await retryWithdrawal(tx, networks, {
        ...decider,
        priority: c.req.valid('json').priority ?? null,
        initiator: c.get('initiator'),
        ...originOf(dependencies, c.get('clientIp')),
        expiryMs: environment.KEYTURN_WITHDRAWAL_EXPIRY,
        screen: environment.KEYTURN_WITHDRAWAL_SCREENING_URL !== undefined,
      })
      const status = id === decider.id ? 200 : 201
      const body = success(await view(tx, decider.merchantId, id))
      return { id, kept: await keepAnswer(c, tx, status, body) }
    })
    startWithdrawalSoon(dependencies, id, (handle) => handle.signal('wake'))
    return c.json(kept, id === decider.id ? 200 : 201)
  })

  app.openapi(refund, async (c) => {
    const { id } = c.req.valid('param')
    const kept = await inTransaction(sql, async (tx) => {
      await refundWithdrawal(tx, networks, { ...deciderOf(c, id), ...c.req.valid('json') })
      return keepAnswer(c, tx, 200, success(await view(tx, c.get('merchantId'), id)))
    })
    startWithdrawalSoon(dependencies, id, (handle) => handle.signal('wake'))
    return c.json(kept, 200)
  })

  app.openapi(mark, async (c) => {
    const { id } = c.req.valid('param')
    const kept = await inTransaction(sql, async (tx) => {
      await markForInvestigation(tx, { ...deciderOf(c, id), ...c.req.valid('json') })
      return keepAnswer(c, tx, 200, success(await view(tx, c.get('merchantId'), id)))
    })
    startWithdrawalSoon(dependencies, id, (handle) => handle.signal('wake'))
    return c.json(kept, 200)
  })

  app.openapi(clear, async (c) => {
    const { id } = c.req.valid('param')
    const kept = await inTransaction(sql, async (tx) => {
      await clearInvestigation(tx, { ...deciderOf(c, id), ...c.req.valid('json') })
      return keepAnswer(c, tx, 200, success(await view(tx, c.get('merchantId'), id)))
    })
    startWithdrawalSoon(dependencies, id, (handle) => handle.signal('wake'))
    return c.json(kept, 200)
  })
}

function deciderOf(c: Context<ApiEnv>, id: string): Decider {
  return {
    merchantId: c.get('merchantId'),
    id,
    personId: c.get('personId'),
    admin: c.get('scopes').includes('admin'),
    actor: c.get('actor'),
  }
}
