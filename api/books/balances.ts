/** Route of balances per coin. */

import { createRoute } from '@hono/zod-openapi'
import { getBalances, type UnitBalance } from '../../db/books/balances/get-balances.js'
import { readSpendable, type Spendable } from '../../db/books/balances/read-spendable.js'
import { findNetwork, knownCoin, type Networks, namedCoin } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import { type Balance, BalanceFilter, SpendableBalance } from '../../wire/balance.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { listAnswer, successPage } from '../http/answer.js'
import { wholeList } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { readScope, requireScanned } from './balance-query.js'

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/balances',
  summary: 'Balances per coin of the merchant, a user or an address: now, at an instant, or as of a block',
  tags: ['Balances'],
  request: {
    query: BalanceFilter,
  },
  responses: { 200: listAnswer(SpendableBalance, 'Every enabled coin') },
})

/** Registers `/balances`. */
export function registerBalanceRoutes(app: ApiApp, { sql, networks }: ApiDependencies): void {
  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const scope = await readScope(sql, c.get('merchantId'), query)
    const { as_of, as_of_block } = query
    if (as_of_block !== undefined) await requireScanned(sql, networks, query)
    const balances = await getBalances(sql, {
      ...scope,
      ...(as_of === undefined ? {} : { asOf: as_of }),
      ...(as_of_block === undefined ? {} : { asOfBlock: as_of_block }),
    })
    const past = as_of !== undefined || as_of_block !== undefined
    const spendable = past ? null : await readSpendable(sql, networks, scope)
    const views = viewBalances(balances, networks).map((view) => ({
      ...view,
      ...viewSpendable(view, spendable, networks),
    }))
    return c.json(successPage(wholeList(views)), 200)
  })
}

/** Formats balances. It leaves out networks that the configuration no longer has, because it lacks their decimals. */
export function viewBalances(balances: readonly UnitBalance[], networks: Networks): Balance[] {
  return balances.flatMap((balance) => {
    const coin = namedCoin(networks, balance.network, balance.coin)
    if (!coin) return []
    const whole = (units: bigint): string => formatAmount(units, coin.decimals)
    return [
      {
        network: balance.network,
        coin: balance.coin,
        available: whole(balance.available),
        reserved: whole(balance.reserved),
        blockchain: whole(balance.blockchain),
        pending: whole(balance.pending),
      },
    ]
  })
}

function viewSpendable(
  { network, coin }: { readonly network: string; readonly coin: string },
  spendable: readonly Spendable[] | null,
  networks: Networks,
): Pick<SpendableBalance, 'spendable' | 'spendable_at_once'> {
  if (spendable === null) return { spendable: null, spendable_at_once: null }
  const found = spendable.find((each) => each.network === network && each.coin === coin)
  const { decimals } = knownCoin(findNetwork(networks, network), coin)
  return {
    spendable: formatAmount(found?.spendable ?? 0n, decimals),
    spendable_at_once: formatAmount(found?.atOnce ?? 0n, decimals),
  }
}
