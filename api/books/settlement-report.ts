/** Route of the settlement report of a month. */

import { createRoute } from '@hono/zod-openapi'
import { readSettlement } from '../../db/books/reports/read-settlement.js'
import { monthOf } from '../../domain/books/period.js'
import { namedCoin } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import { SettlementQuery, SettlementReport } from '../../wire/report.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { listAnswer, successPage } from '../http/answer.js'
import { wholeList } from '../http/paging.js'
import { secured } from '../http/secured.js'

const report = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/reports/settlement',
  summary: 'How a month settled by network and coin: float, and times of deposits and withdrawals',
  tags: ['Reports'],
  request: { query: SettlementQuery },
  responses: { 200: listAnswer(SettlementReport, 'Every enabled coin') },
})

/** Registers `/reports/settlement`. */
export function registerSettlementReportRoute(app: ApiApp, { sql, networks }: ApiDependencies): void {
  app.openapi(report, async (c) => {
    const window = monthOf(c.req.valid('query').period)
    const rows = await readSettlement(sql, c.get('merchantId'), window)
    const views = rows.flatMap((row): SettlementReport[] => {
      const coin = namedCoin(networks, row.network, row.coin)
      if (!coin) return []
      return [
        {
          network: row.network,
          coin: row.coin,
          float: formatAmount(row.float, coin.decimals),
          credit_seconds: row.credit,
          confirmation_seconds: row.confirmation,
          provisional: window.to.getTime() > Date.now(),
        },
      ]
    })
    return c.json(successPage(wholeList(views)), 200)
  })
}
