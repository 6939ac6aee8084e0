/** Route of balances per coin. */

import { createRoute } from '@hono/zod-openapi'
import { getBalances, type UnitBalance } from '../../db/books/balances/get-balances.js'
import { readSpendable, type Spendable } from '../../db/books/balances/read-spendable.js'
import { getAddress } from '../../db/wallets/get-address.js'
import { findNetwork, knownCoin, type Networks } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import { type Balance, BalanceFilter, SpendableBalance } from '../../wire/balance.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { listAnswer, successPage } from '../http/answer.js'
import { notFound } from '../http/not-found.js'
import { wholeList } from '../http/paging.js'
import { secured } from '../http/secured.js'

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/balances',
  summary: 'Balances per coin of the merchant, a user or an address, now or at an instant',
  tags: ['Balances'],
  request: {
    query: BalanceFilter,
  },
  responses: { 200: listAnswer(SpendableBalance, 'Every enabled coin') },
})

/** Registers `/balances`. */
export function registerBalanceRoutes(app: ApiApp, { sql, networks }: ApiDependencies): void {
  app.openapi(list, async (c) => {
    const { user_reference, address_id, network, coin, as_of } = c.req.valid('query')
    const merchantId = c.get('merchantId')
    if (address_id !== undefined && !(await getAddress(sql, merchantId, address_id))) {
      throw notFound('address', address_id)
    }
    const selected = {
      merchantId,
      ...(user_reference === undefined ? {} : { userReference: user_reference }),
      ...(address_id === undefined ? {} : { addressId: address_id }),
    }
    const balances = await getBalances(sql, {
      ...selected,
      ...(network === undefined ? {} : { network }),
      ...(coin === undefined ? {} : { coin }),
      ...(as_of === undefined ? {} : { asOf: as_of }),
    })
    const spendable = as_of === undefined ? await readSpendable(sql, networks, selected) : null
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
    const network = networks.get(balance.network)
    const coin = [...(network?.coins ?? []), ...(network?.removedCoins ?? [])].find(
      (each) => each.name === balance.coin,
    )
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
