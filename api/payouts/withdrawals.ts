/** Routes of withdrawals: request, list, read and cancel. */

import { createRoute, z } from '@hono/zod-openapi'
import { inTransaction } from '../../db/connect.js'
import { toWithdrawalStart } from '../../db/payouts/read-withdrawal-input.js'
import { cancelWithdrawal } from '../../db/payouts/withdrawals/cancel-withdrawal.js'
import { createWithdrawal } from '../../db/payouts/withdrawals/create-withdrawal.js'
import { listWithdrawals } from '../../db/payouts/withdrawals/list-withdrawals.js'
import { toWithdrawalView } from '../../db/payouts/withdrawals/read-withdrawal-view.js'
import { parseAddress } from '../../domain/address/parse-address.js'
import { findCoin, findNetwork } from '../../domain/chain/network.js'
import { NewWithdrawal, Withdrawal, WithdrawalFilter } from '../../wire/withdrawal.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { startWithdrawalSoon } from '../start/start-withdrawal-soon.js'
import { readOwnWithdrawal } from './read-own-withdrawal.js'
import { originOf, positiveAmount, requireSenderPays } from './withdrawal-request.js'

const params = z.object({ id: z.string().max(255) })

const create = createRoute({
  ...secured('withdrawals'),
  method: 'post',
  path: '/withdrawals',
  summary: 'Request a withdrawal. Two people must approve it before the signer signs',
  tags: ['Withdrawals'],
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: NewWithdrawal,
        },
      },
    },
  },
  responses: { 201: answer(Withdrawal, 'Accepted. The amount and the fee limit are held') },
})

const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/withdrawals/{id}',
  summary: 'One withdrawal',
  tags: ['Withdrawals'],
  request: { params },
  responses: { 200: answer(Withdrawal) },
})

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/withdrawals',
  summary: 'Withdrawals, newest first',
  tags: ['Withdrawals'],
  request: {
    query: WithdrawalFilter,
  },
  responses: { 200: listAnswer(Withdrawal) },
})

const cancel = createRoute({
  ...secured('withdrawals'),
  method: 'delete',
  path: '/withdrawals/{id}',
  summary: 'Cancel a withdrawal that no signer has yet, and release its hold',
  tags: ['Withdrawals'],
  request: { params },
  responses: { 200: answer(Withdrawal, 'Cancelled') },
})

/** Registers `/withdrawals`. */
export function registerWithdrawalRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks, environment } = dependencies

  app.openapi(create, async (c) => {
    const body = c.req.valid('json')
    const network = findNetwork(networks, body.network)
    const coin = findCoin(network, body.coin)
    requireSenderPays(body.fee_payer, coin)
    const to = parseAddress(network, body.to_address)
    const units = positiveAmount(body.amount, coin.decimals)
    const { row, kept } = await inTransaction(sql, async (tx) => {
      const { view, row } = await createWithdrawal(tx, networks, {
        merchantId: c.get('merchantId'),
        network,
        coin,
        amount: units,
        amountText: body.amount,
        toAddress: to.address,
        fromAddressId: body.from_address_id ?? null,
        feePayer: body.fee_payer,
        priority: body.priority,
        userReference: body.user_reference ?? null,
        externalId: body.external_id ?? null,
        metadata: body.metadata,
        initiator: c.get('initiator'),
        actor: c.get('actor'),
        ...originOf(dependencies, c.get('clientIp')),
        expiryMs: environment.KEYTURN_WITHDRAWAL_EXPIRY,
        screen: environment.KEYTURN_WITHDRAWAL_SCREENING_URL !== undefined,
      })
      return { row, kept: await keepAnswer(c, tx, 201, success(view)) }
    })
    startWithdrawalSoon(dependencies, row.id, null, toWithdrawalStart(networks, row))
    return c.json(kept, 201)
  })

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const rows = await listWithdrawals(
      sql,
      c.get('merchantId'),
      {
        status: query.status,
        network: query.network,
        coin: query.coin,
        userReference: query.user_reference,
        externalId: query.external_id,
        from: query.from_date,
        to: query.to_date,
      },
      toSlice(query),
    )
    const page = toPage(
      query,
      rows,
      (row) => toWithdrawalView(networks, row),
      (row) => row.id,
    )
    return c.json(successPage(page), 200)
  })

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param')
    return c.json(success(await readOwnWithdrawal(sql, networks, c.get('merchantId'), id)), 200)
  })

  app.openapi(cancel, async (c) => {
    const { id } = c.req.valid('param')
    const actor = c.get('actor')
    await cancelWithdrawal(sql, networks, { merchantId: c.get('merchantId'), id, actor })
    startWithdrawalSoon(dependencies, id, (handle) => handle.signal('cancel', { by: actor }))
    return c.json(success(await readOwnWithdrawal(sql, networks, c.get('merchantId'), id)), 200)
  })
}
