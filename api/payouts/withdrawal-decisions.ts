/** Routes of decisions about an open withdrawal: review, speed-up, and cancelling its transaction. */

import { createRoute, z } from '@hono/zod-openapi'
import { inTransaction } from '../../db/connect.js'
import { requestCancellation } from '../../db/payouts/withdrawals/request-cancellation.js'
import { requestSpeedUp } from '../../db/payouts/withdrawals/request-speed-up.js'
import { reviewWithdrawal } from '../../db/payouts/withdrawals/review-withdrawal.js'
import { ReviewDecision } from '../../wire/approval.js'
import { Reason } from '../../wire/reason.js'
import { SpeedUp, Withdrawal } from '../../wire/withdrawal.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, success } from '../http/answer.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { startWithdrawalSoon } from '../start/start-withdrawal-soon.js'
import { readOwnWithdrawal } from './read-own-withdrawal.js'

const params = z.object({ id: z.string().max(255) })

const review = createRoute({
  ...secured('admin', 'approvals'),
  method: 'post',
  path: '/withdrawals/{id}/review',
  summary: 'Review a risky withdrawal. Its approvals are needed all the same',
  description:
    'Needs a person with the scope `admin` or the role `reviewer` who did not request the withdrawal.',
  tags: ['Withdrawals'],
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
  responses: { 200: answer(Withdrawal, 'Decided') },
})

const speedUp = createRoute({
  ...secured('withdrawals'),
  method: 'post',
  path: '/withdrawals/{id}/speed-up',
  summary: 'Replace the waiting transaction by one with a higher fee',
  description:
    'It stays within the approved fee limit, so it needs no new approval. It uses the same nonce (EVM), or the same inputs and recipients (BIP-125).',
  tags: ['Withdrawals'],
  request: {
    params,
    body: {
      required: false,
      content: {
        'application/json': {
          schema: SpeedUp,
        },
      },
    },
  },
  responses: { 200: answer(Withdrawal, 'Accepted. `attempts` shows its progress') },
})

const cancelTransaction = createRoute({
  ...secured('admin', 'approvals'),
  method: 'post',
  path: '/withdrawals/{id}/cancel-transaction',
  summary: 'Replace the waiting transaction by a cancelling one',
  description:
    'Needs a person with the scope `admin` or the role `reviewer` who did not request the withdrawal. The transaction that is mined decides: `cancelled`, with the hold released and the fee on the merchant’s own account, or `confirmed`.',
  tags: ['Withdrawals'],
  request: {
    params,
    body: {
      required: true,
      content: {
        'application/json': { schema: Reason },
      },
    },
  },
  responses: { 200: answer(Withdrawal, 'Decided. `attempts` shows its progress') },
})

/** Registers `/review`, `/speed-up` and `/cancel-transaction` under `/withdrawals/{id}`. */
export function registerWithdrawalDecisionRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks } = dependencies

  app.openapi(review, async (c) => {
    const { id } = c.req.valid('param')
    const merchantId = c.get('merchantId')
    const actor = c.get('actor')
    const kept = await inTransaction(sql, async (tx) => {
      await reviewWithdrawal(tx, networks, {
        merchantId,
        id,
        personId: c.get('personId'),
        admin: c.get('scopes').includes('admin'),
        ...c.req.valid('json'),
        actor,
      })
      return keepAnswer(c, tx, 200, success(await readOwnWithdrawal(tx, networks, merchantId, id)))
    })
    startWithdrawalSoon(dependencies, id, (handle) => handle.signal('reviewed', { by: actor }))
    return c.json(kept, 200)
  })

  app.openapi(speedUp, async (c) => {
    const { id } = c.req.valid('param')
    const body = c.req.valid('json')
    const merchantId = c.get('merchantId')
    const actor = c.get('actor')
    const kept = await inTransaction(sql, async (tx) => {
      const { priority = null, max_fee: maxFee = null } = body
      await requestSpeedUp(tx, networks, { merchantId, id, priority, maxFee, actor })
      return keepAnswer(c, tx, 200, success(await readOwnWithdrawal(tx, networks, merchantId, id)))
    })
    startWithdrawalSoon(dependencies, id, (handle) => handle.signal('replace', { by: actor }))
    return c.json(kept, 200)
  })

  app.openapi(cancelTransaction, async (c) => {
    const { id } = c.req.valid('param')
    const { reason } = c.req.valid('json')
    const merchantId = c.get('merchantId')
    const actor = c.get('actor')
    const kept = await inTransaction(sql, async (tx) => {
      await requestCancellation(tx, networks, {
        merchantId,
        id,
        personId: c.get('personId'),
        admin: c.get('scopes').includes('admin'),
        reason,
        actor,
      })
      return keepAnswer(c, tx, 200, success(await readOwnWithdrawal(tx, networks, merchantId, id)))
    })
    startWithdrawalSoon(dependencies, id, (handle) => handle.signal('replace', { by: actor }))
    return c.json(kept, 200)
  })
}
