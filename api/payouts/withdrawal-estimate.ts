/** Route of the estimate: the fee of a withdrawal at every priority. */

import { createRoute } from '@hono/zod-openapi'
import { requireWallet } from '../../db/payouts/require-wallet.js'
import { estimateWithdrawal } from '../../db/payouts/withdrawals/estimate-withdrawal.js'
import { requireForeign } from '../../db/wallets/find-own-wallets.js'
import { findCoin, findNetwork, nativeCoin } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import { PRIORITIES } from '../../domain/payouts/priority.js'
import { PRIORITY_LEVEL } from '../../domain/payouts/withdrawal-fee.js'
import { EstimateRequest, WithdrawalEstimate } from '../../wire/estimate.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, success } from '../http/answer.js'
import { secured } from '../http/secured.js'
import { positiveAmount } from './withdrawal-request.js'

const estimate = createRoute({
  ...secured('withdrawals'),
  method: 'post',
  path: '/withdrawals/estimate',
  summary: 'Estimate the fee for every priority',
  tags: ['Withdrawals'],
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: EstimateRequest,
        },
      },
    },
  },
  responses: { 200: answer(WithdrawalEstimate) },
})

/** Registers `/withdrawals/estimate`. */
export function registerWithdrawalEstimateRoute(app: ApiApp, { sql, networks }: ApiDependencies): void {
  app.openapi(estimate, async (c) => {
    const body = c.req.valid('json')
    const network = findNetwork(networks, body.network)
    const coin = findCoin(network, body.coin)
    if (body.to_address !== undefined) {
      await requireForeign(sql, c.get('merchantId'), network, body.to_address)
    }
    await requireWallet(sql, c.get('merchantId'), network, body.from_address_id ?? null)
    const units = positiveAmount(body.amount, coin.decimals)
    const feeCoin = nativeCoin(network)
    const now = new Date()
    const estimates = []
    for (const each of PRIORITIES) {
      const level = PRIORITY_LEVEL[each]
      const estimated = await estimateWithdrawal(sql, c.get('merchantId'), network, coin, units, each, now)
      estimates.push({
        priority: each,
        description: level.description,
        fee_multiplier: (Number(level.percent) / 100).toFixed(1),
        fee: formatAmount(estimated.fee, feeCoin.decimals),
        fee_limit: formatAmount(estimated.feeLimit, feeCoin.decimals),
        confirmation_time: `${level.minutes[0]}-${level.minutes[1]} minutes`,
        estimated_confirmation_time: estimated.confirmedAt.toISOString(),
      })
    }
    const view = {
      network: network.name,
      coin: coin.name,
      amount: body.amount,
      fee_coin: feeCoin.name,
      estimates,
    }
    return c.json(success(view), 200)
  })
}
