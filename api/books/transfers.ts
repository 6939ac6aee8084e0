/** Routes of transfers on the books: make, list and read them. */

import { createRoute, z } from '@hono/zod-openapi'
import { createTransfer } from '../../db/books/transfers/create-transfer.js'
import { findTransfer, listTransfers } from '../../db/books/transfers/list-transfers.js'
import { toTransferView } from '../../db/books/transfers/transfer-row.js'
import { inTransaction } from '../../db/connect.js'
import { findCoin, findNetwork } from '../../domain/chain/network.js'
import { NewTransfer, Transfer, TransferFilter } from '../../wire/transfer.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { positiveAmount } from '../payouts/withdrawal-request.js'

const create = createRoute({
  ...secured('withdrawals'),
  method: 'post',
  path: '/transfers',
  summary: 'Move an available amount between users, or a user and the merchant, on the books alone',
  tags: ['Transfers'],
  request: { body: { required: true, content: { 'application/json': { schema: NewTransfer } } } },
  responses: { 201: answer(Transfer, 'Booked') },
})

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/transfers',
  summary: 'Transfers, newest first',
  tags: ['Transfers'],
  request: { query: TransferFilter },
  responses: { 200: listAnswer(Transfer) },
})

const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/transfers/{id}',
  summary: 'One transfer',
  tags: ['Transfers'],
  request: { params: z.object({ id: z.string().max(255) }) },
  responses: { 200: answer(Transfer) },
})

/** Registers `/transfers`. */
export function registerTransferRoutes(app: ApiApp, { sql, networks }: ApiDependencies): void {
  app.openapi(create, async (c) => {
    const body = c.req.valid('json')
    const network = findNetwork(networks, body.network)
    const coin = findCoin(network, body.coin)
    const amount = positiveAmount(body.amount, coin.decimals)
    const kept = await inTransaction(sql, async (tx) => {
      const view = await createTransfer(tx, {
        merchantId: c.get('merchantId'),
        from: body.from_user_reference,
        to: body.to_user_reference,
        network,
        coin,
        amount,
        amountText: body.amount,
        externalId: body.external_id ?? null,
        reason: body.reason,
        actor: c.get('actor'),
      })
      return keepAnswer(c, tx, 201, success(view))
    })
    return c.json(kept, 201)
  })

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const rows = await listTransfers(
      sql,
      c.get('merchantId'),
      {
        userReference: query.user_reference,
        network: query.network,
        coin: query.coin,
        externalId: query.external_id,
        from: query.from_date,
        to: query.to_date,
      },
      toSlice(query),
    )
    return c.json(successPage(toPage(query, rows, toTransferView, (row) => row.id)), 200)
  })

  app.openapi(get, async (c) => {
    const row = await findTransfer(sql, c.get('merchantId'), c.req.valid('param').id)
    return c.json(success(toTransferView(row)), 200)
  })
}
