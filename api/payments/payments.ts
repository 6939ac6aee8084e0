/** Routes of payments: request, list, read, cancel and issue again. */

import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { publicUrlOf } from '../../config/public-url.js'
import { inTransaction, type Transaction } from '../../db/connect.js'
import { readPolicy } from '../../db/controls/policy/read-policy.js'
import { cancelPayment, type PaymentDecision } from '../../db/payments/cancel-payment.js'
import { createPayment } from '../../db/payments/create-payment.js'
import { paymentView } from '../../db/payments/payment-view.js'
import { getPayment, listPayments } from '../../db/payments/read-payments.js'
import { reissuePayment } from '../../db/payments/reissue-payment.js'
import { findCoin, findNetwork } from '../../domain/chain/network.js'
import { paymentAllowance, toleranceFor, tolerancesOf } from '../../domain/payments/payment-allowance.js'
import { NewPayment, Payment, PaymentFilter, Reissue } from '../../wire/payment.js'
import type { ApiApp, ApiDependencies, ApiEnv } from '../context.js'
import { onceCompared } from '../deposits/once-compared.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { canonicalQuery } from '../http/canonical-query.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { positiveAmount } from '../payouts/withdrawal-request.js'
import { wakePaymentSoon } from '../start/wake-payment-soon.js'
import { checkReturnUrl } from './check-return-url.js'

const params = z.object({ payment_id: z.string().max(255) })

const create = createRoute({
  ...secured('payments'),
  method: 'post',
  path: '/payments',
  summary: 'Request a payment, with its address and checkout page',
  tags: ['Payments'],
  request: { body: { required: true, content: { 'application/json': { schema: NewPayment } } } },
  responses: { 201: answer(Payment, 'Waits for deposits') },
})

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/payments',
  summary: 'Payments, newest first',
  tags: ['Payments'],
  request: { query: PaymentFilter },
  responses: { 200: listAnswer(Payment) },
})

const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/payments/{payment_id}',
  summary: 'One payment with its deposits and history',
  tags: ['Payments'],
  request: { params },
  responses: { 200: answer(Payment) },
})

const cancel = createRoute({
  ...secured('payments'),
  method: 'post',
  path: '/payments/{payment_id}/cancel',
  summary: 'Cancel a payment for which nothing has arrived',
  description: '409 `INVALID_STATE` once anything is detected. The address stays watched.',
  tags: ['Payments'],
  request: { params, body: { content: { 'application/json': { schema: z.strictObject({}) } } } },
  responses: { 200: answer(Payment, 'Cancelled') },
})

const reissue = createRoute({
  ...secured('payments'),
  method: 'post',
  path: '/payments/{payment_id}/reissue',
  summary: 'Issue an expired or cancelled payment again: same terms, a new address',
  description: '409 `INVALID_STATE` before its end, for an open payment, and the second time.',
  tags: ['Payments'],
  request: { params, body: { content: { 'application/json': { schema: Reissue } } } },
  responses: { 201: answer(Payment, 'The new attempt') },
})

/** Registers `/payments`. */
export function registerPaymentRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks, environment } = dependencies
  const publicUrl = publicUrlOf(environment)

  app.openapi(create, async (c) => {
    const body = c.req.valid('json')
    const network = findNetwork(networks, body.network)
    const coin = findCoin(network, body.coin)
    const amount = body.amount === undefined ? null : positiveAmount(body.amount, coin.decimals)
    const tolerance = body.tolerance ?? null
    for (const field of ['success_url', 'failure_url'] as const) {
      const url = body[field]
      if (url !== undefined) checkReturnUrl(field, url, environment)
    }
    const allowanceOf = async (tx: Transaction, asked: bigint) => {
      const { policy } = await readPolicy(tx, c.get('merchantId'))
      const asset = { network: network.name, coin: coin.name, decimals: coin.decimals }
      const own = toleranceFor(policy.payments, asset)
      return paymentAllowance(asked, coin.decimals, tolerancesOf(tolerance, own))
    }
    const { id, kept } = await onceCompared(() =>
      inTransaction(sql, async (tx) => {
        const row = await createPayment(tx, {
          merchantId: c.get('merchantId'),
          network,
          coin,
          userReference: body.user_reference,
          amount,
          allowance: amount === null ? 0n : await allowanceOf(tx, amount),
          tolerance,
          quote: body.quote ?? null,
          orderId: body.order_id ?? null,
          successUrl: body.success_url ?? null,
          failureUrl: body.failure_url ?? null,
          metadata: body.metadata,
          expiresInSeconds: body.expires_in_seconds,
          attemptOf: null,
          publicUrl,
          ...causeOf(c),
        })
        return { id: row.id, kept: await keepAnswer(c, tx, 201, success(paymentView(row, []))) }
      }),
    )
    wakePaymentSoon(dependencies, id)
    return c.json(kept, 201)
  })

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const rows = await listPayments(
      sql,
      c.get('merchantId'),
      {
        status: query.status,
        orderId: query.order_id,
        userReference: query.user_reference,
        network: query.network,
        coin: query.coin,
        address: canonicalQuery(query.address, networks),
        flag: query.flag,
        from: query.from_date,
        to: query.to_date,
      },
      toSlice(query),
    )
    const page = toPage(
      query,
      rows,
      (row) => row,
      (row) => row.payment_id,
    )
    return c.json(successPage(page), 200)
  })

  app.openapi(get, async (c) => {
    const id = c.req.valid('param').payment_id
    return c.json(success(await getPayment(sql, c.get('merchantId'), id)), 200)
  })

  app.openapi(cancel, async (c) => {
    const ask = decisionOf(c, c.req.valid('param').payment_id)
    const kept = await inTransaction(sql, async (tx) => {
      await cancelPayment(tx, ask)
      return keepAnswer(c, tx, 200, success(await getPayment(tx, ask.merchantId, ask.id)))
    })
    wakePaymentSoon(dependencies, ask.id)
    return c.json(kept, 200)
  })

  app.openapi(reissue, async (c) => {
    const ask = decisionOf(c, c.req.valid('param').payment_id)
    const { id, kept } = await onceCompared(() =>
      inTransaction(sql, async (tx) => {
        const row = await reissuePayment(tx, (name) => findNetwork(networks, name), {
          ...ask,
          expiresInSeconds: c.req.valid('json').expires_in_seconds ?? null,
          publicUrl,
        })
        return {
          id: row.id,
          kept: await keepAnswer(c, tx, 201, success(paymentView(row, []))),
        }
      }),
    )
    wakePaymentSoon(dependencies, id)
    return c.json(kept, 201)
  })
}

function decisionOf(c: Context<ApiEnv>, id: string): PaymentDecision {
  return { merchantId: c.get('merchantId'), id, ...causeOf(c) }
}

function causeOf(c: Context<ApiEnv>): Pick<PaymentDecision, 'cause' | 'actor'> {
  const personId = c.get('personId')
  const cause =
    personId === null
      ? { kind: 'api' as const, id: c.get('apiKeyId') }
      : { kind: 'person' as const, id: personId }
  return { cause, actor: c.get('actor') }
}
