/** The merchant's wallets (contract section 3). */

import { createRoute, z } from '@hono/zod-openapi'
import { listWallets } from '../../db/addresses/list-wallets.js'
import { getBalances } from '../../db/balances/get-balances.js'
import { listAnswer, successPage } from '../answer.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { wholeList } from '../paging.js'
import { secured } from '../secured.js'
import { balanceView, viewBalances } from './balances.js'

const wallet = z
  .object({
    id: z.string(),
    kind: z.enum(['master', 'hot', 'gas']),
    network: z.string(),
    address: z.string(),
    balances: z.array(balanceView),
  })
  .openapi('Wallet')

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/wallets',
  summary: 'Master, hot and gas wallets with what they hold',
  tags: ['Wallets'],
  responses: { 200: listAnswer(wallet, 'Every wallet') },
})

/** Registers `/wallets`. */
export function registerWalletRoutes(app: ApiApp, { sql, networks }: ApiDependencies): void {
  app.openapi(list, async (c) => {
    const merchantId = c.get('merchantId')
    const rows = (await listWallets(sql, merchantId)).filter((row) => networks.has(row.network))
    const wallets = await Promise.all(
      rows.map(async (row) => ({
        id: row.id,
        kind: row.kind,
        network: row.network,
        address: row.address,
        balances: viewBalances(await getBalances(sql, { merchantId, addressId: row.id }), networks),
      })),
    )
    return c.json(successPage(wholeList(wallets)), 200)
  })
}
