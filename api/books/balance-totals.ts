/** Route of totals: what came in, left and was paid in fees since the beginning. */

import { createRoute, type z } from '@hono/zod-openapi'
import {
  totalsByAddress,
  totalsByCoin,
  totalsByUser,
  type UnitTotals,
} from '../../db/books/balances/get-totals.js'
import { type Networks, namedCoin } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import { BalanceTotals, BalanceTotalsFilter } from '../../wire/balance.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { listAnswer, successPage } from '../http/answer.js'
import { type Page, toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { invalid, readScope } from './balance-query.js'

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/balances/totals',
  summary: 'What came in, left and was paid in fees since the beginning, by coin, user or address',
  tags: ['Balances'],
  request: { query: BalanceTotalsFilter },
  responses: { 200: listAnswer(BalanceTotals) },
})

/** Registers `/balances/totals`. */
export function registerBalanceTotalsRoute(app: ApiApp, { sql, networks }: ApiDependencies): void {
  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const scope = await readScope(sql, c.get('merchantId'), query)
    if (query.group_by === 'user' && query.address_id !== undefined) {
      throw invalid(
        'address_id',
        'belongs to group_by=address or coin; an address owes its user nothing by itself',
      )
    }
    const view = (row: UnitTotals) => viewTotals(row, query.group_by, networks)
    if (query.group_by === 'coin') {
      const page = pageOfCoins(query, await totalsByCoin(sql, scope))
      return c.json(successPage({ ...page, items: page.items.flatMap(view) }), 200)
    }
    const slice = toSlice(query)
    if (slice.before !== null && !/^\d{1,18}$/.test(slice.before)) {
      throw invalid('cursor', 'take it from next_cursor of the page before')
    }
    const read = query.group_by === 'user' ? totalsByUser : totalsByAddress
    const rows = await read(sql, scope, slice)
    const page = toPage(
      query,
      rows,
      (row) => row,
      (row) => String(row.id),
    )
    return c.json(successPage({ ...page, items: page.items.flatMap(view) }), 200)
  })
}

/** Pages coins in the order of their names: there are as many as the configuration has. */
function pageOfCoins(
  query: z.output<typeof BalanceTotalsFilter>,
  rows: readonly UnitTotals[],
): Page<UnitTotals> {
  const { before, offset, take } = toSlice(query)
  const key = (row: UnitTotals) => `${row.network}/${row.coin}`
  // PostgreSQL and JavaScript order "bitcoin-cash/bch" and "bitcoin/btc" differently, so the order is made here.
  const sorted = rows.toSorted((one, other) => (key(one) < key(other) ? -1 : 1))
  const from = before === null ? offset : sorted.findIndex((row) => key(row) > before)
  return toPage(query, from < 0 ? [] : sorted.slice(from, from + take), (row) => row, key)
}

/** Formats totals. It leaves out coins that the configuration no longer has, because it lacks their decimals. */
function viewTotals(row: UnitTotals, by: 'coin' | 'user' | 'address', networks: Networks): BalanceTotals[] {
  const coin = namedCoin(networks, row.network, row.coin)
  if (!coin) return []
  const whole = (units: bigint): string => formatAmount(units, coin.decimals)
  return [
    {
      network: row.network,
      coin: row.coin,
      ...(by === 'user' ? { user_reference: row.owner === '' ? null : row.owner } : {}),
      ...(by === 'address' ? { address_id: row.owner, address: row.address } : {}),
      deposited: whole(row.deposited),
      withdrawn: whole(row.withdrawn),
      fees: whole(row.fees),
      transferred_in: whole(row.transferredIn),
      transferred_out: whole(row.transferredOut),
      balance: whole(row.balance),
    },
  ]
}
