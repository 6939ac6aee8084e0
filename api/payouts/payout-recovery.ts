/** Routes for parts of batches and movements that go wrong: speed up, cancel and investigate. */

import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { inTransaction, type Transaction } from '../../db/connect.js'
import { listParts, readPayoutView } from '../../db/payouts/read-payout-view.js'
import {
  clearInvestigation,
  markForInvestigation,
} from '../../db/payouts/withdrawals/investigate-withdrawal.js'
import type { Decider, OwnPayoutKind } from '../../db/payouts/withdrawals/lock-own-withdrawal.js'
import { requestCancellation } from '../../db/payouts/withdrawals/request-cancellation.js'
import { requestSpeedUp } from '../../db/payouts/withdrawals/request-speed-up.js'
import { Payout } from '../../wire/payout.js'
import { Reason } from '../../wire/reason.js'
import { SpeedUp } from '../../wire/withdrawal.js'
import type { ApiApp, ApiDependencies, ApiEnv } from '../context.js'
import { answer, success } from '../http/answer.js'
import { notFound } from '../http/not-found.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { startWithdrawalSoon } from '../start/start-withdrawal-soon.js'

const params = z.object({ id: z.string().max(255) })
const withReason = {
  params,
  body: {
    required: true,
    content: {
      'application/json': { schema: Reason },
    },
  },
}

const listOfParts = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/batches/{id}/parts',
  summary: 'Parts of a batch, each with its attempts and the reason why it waits',
  tags: ['Batches'],
  request: { params },
  responses: { 200: answer(z.array(Payout).readonly()) },
})

interface Place {
  readonly path: string
  readonly kind: OwnPayoutKind
  readonly tag: string
  /** Name of the payout for the summaries. */
  readonly what: string
}

const PLACES: readonly Place[] = [
  { path: '/parts/{id}', kind: 'part', tag: 'Batches', what: 'a part of a batch' },
  { path: '/movements/{id}', kind: 'movement', tag: 'Movements', what: 'a movement' },
]

/** Registers `/batches/{id}/parts`, and four decisions under `/parts/{id}` and `/movements/{id}`. */
export function registerPayoutRecoveryRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks } = dependencies
  app.openapi(listOfParts, async (c) => {
    const { id } = c.req.valid('param')
    const parts = await listParts(sql, networks, c.get('merchantId'), id)
    if (!parts) throw notFound('batch', id)
    return c.json(success(parts), 200)
  })
  for (const place of PLACES) register(app, dependencies, place)
}

function register(app: ApiApp, dependencies: ApiDependencies, { path, kind, tag, what }: Place): void {
  const { sql, networks } = dependencies
  const route = <Path extends string, Request>(verb: Path, summary: string, request: Request) =>
    createRoute({
      ...secured('admin'),
      method: 'post',
      path: `${path}/${verb}`,
      summary,
      tags: [tag],
      request: request as Request & { params: typeof params },
      responses: { 200: answer(Payout) },
    })
  const view = (tx: Transaction, decider: Decider) => readPayoutView(tx, networks, decider)

  app.openapi(
    route('speed-up', `Replace the attempt of ${what} by one with a higher fee, within its fee limit`, {
      params,
      body: {
        required: true,
        content: {
          'application/json': {
            schema: SpeedUp,
          },
        },
      },
    }),
    async (c) => {
      const decider = deciderOf(c, c.req.valid('param').id, kind)
      const { priority = null, max_fee: maxFee = null } = c.req.valid('json')
      const kept = await inTransaction(sql, async (tx) => {
        await requestSpeedUp(tx, networks, { ...decider, priority, maxFee })
        return keepAnswer(c, tx, 200, success(await view(tx, decider)))
      })
      startWithdrawalSoon(dependencies, decider.id, (handle) =>
        handle.signal('replace', { by: decider.actor }),
      )
      return c.json(kept, 200)
    },
  )

  app.openapi(
    route('cancel-transaction', `Replace the attempt of ${what} by a cancelling transaction`, withReason),
    async (c) => {
      const decider = deciderOf(c, c.req.valid('param').id, kind)
      const kept = await inTransaction(sql, async (tx) => {
        await requestCancellation(tx, networks, { ...decider, ...c.req.valid('json') })
        return keepAnswer(c, tx, 200, success(await view(tx, decider)))
      })
      startWithdrawalSoon(dependencies, decider.id, (handle) =>
        handle.signal('replace', { by: decider.actor }),
      )
      return c.json(kept, 200)
    },
  )

  app.openapi(
    route('mark-for-investigation', `Hold ${what} before the next signature`, withReason),
    async (c) => {
      const decider = deciderOf(c, c.req.valid('param').id, kind)
      const kept = await inTransaction(sql, async (tx) => {
        await markForInvestigation(tx, { ...decider, ...c.req.valid('json') })
        return keepAnswer(c, tx, 200, success(await view(tx, decider)))
      })
      startWithdrawalSoon(dependencies, decider.id, (handle) => handle.signal('wake'))
      return c.json(kept, 200)
    },
  )

  app.openapi(
    route('clear-investigation', `Resume ${what} that was marked for investigation`, withReason),
    async (c) => {
      const decider = deciderOf(c, c.req.valid('param').id, kind)
      const kept = await inTransaction(sql, async (tx) => {
        await clearInvestigation(tx, { ...decider, ...c.req.valid('json') })
        return keepAnswer(c, tx, 200, success(await view(tx, decider)))
      })
      startWithdrawalSoon(dependencies, decider.id, (handle) => handle.signal('wake'))
      return c.json(kept, 200)
    },
  )
}

function deciderOf(c: Context<ApiEnv>, id: string, kind: OwnPayoutKind): Decider {
  return {
    merchantId: c.get('merchantId'),
    id,
    kind,
    personId: c.get('personId'),
    admin: c.get('scopes').includes('admin'),
    actor: c.get('actor'),
  }
}
