/** Routes of the merchant's own wallets. */

import { createRoute } from '@hono/zod-openapi'
import { getBalances } from '../../db/books/balances/get-balances.js'
import { inTransaction } from '../../db/connect.js'
import { addHotWallet } from '../../db/wallets/add-hot-wallet.js'
import { listWallets } from '../../db/wallets/list-wallets.js'
import { findNetwork } from '../../domain/chain/network.js'
import { NewWallet, Wallet, WalletFilter } from '../../wire/wallet.js'
import { viewBalances } from '../books/balances.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/wallets',
  summary: 'Master, hot and gas wallets with their balances, newest first',
  tags: ['Wallets'],
  request: {
    query: WalletFilter,
  },
  responses: { 200: listAnswer(Wallet) },
})

const create = createRoute({
  ...secured('admin'),
  method: 'post',
  path: '/wallets',
  summary:
    'Add a hot wallet, derived from the key that the signer reported. Payouts are spread over all hot wallets',
  tags: ['Wallets'],
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: NewWallet,
        },
      },
    },
  },
  responses: { 201: answer(Wallet, 'Added. Fund it, or let rebalancing fund it') },
})

/** Registers `/wallets`. */
export function registerWalletRoutes(app: ApiApp, { sql, networks }: ApiDependencies): void {
  app.openapi(create, async (c) => {
    const body = c.req.valid('json')
    const merchantId = c.get('merchantId')
    const network = findNetwork(networks, body.network)
    const kept = await inTransaction(sql, async (tx) => {
      const row = await addHotWallet(tx, {
        merchantId,
        network,
        label: body.label ?? null,
        actor: c.get('actor'),
      })
      const balances = viewBalances(await getBalances(tx, { merchantId, addressId: row.id }), networks)
      return keepAnswer(c, tx, 201, success({ ...row, balances }))
    })
    return c.json(kept, 201)
  })

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const { network, kind } = query
    const served = [...networks.keys()].filter((name) => network === undefined || name === network)
    const rows = await listWallets(sql, c.get('merchantId'), { networks: served, kind }, toSlice(query))
    const page = toPage(
      query,
      rows,
      (row) => ({ ...row, balances: viewBalances(row.balances, networks) }),
      (row) => row.id,
    )
    return c.json(successPage(page), 200)
  })
}
