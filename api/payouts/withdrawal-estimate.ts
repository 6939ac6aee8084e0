/** What a withdrawal would cost at every priority (seed 002, "Fee Priority Levels"). */

import { createRoute, z } from '@hono/zod-openapi'
import { requireWallet } from '../../db/payouts/require-wallet.js'
import { estimateWithdrawal } from '../../db/payouts/withdrawals/estimate-withdrawal.js'
import { requireForeign } from '../../db/wallets/find-own-wallets.js'
import { findCoin, findNetwork, nativeCoin } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import { PRIORITIES } from '../../domain/payouts/priority.js'
import { PRIORITY_LEVEL } from '../../domain/payouts/withdrawal-fee.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, success } from '../http/answer.js'
import { secured } from '../http/secured.js'
import { amountSchema, positiveAmount } from './withdrawal-request.js'

const amount = amountSchema
const priority = z.enum(PRIORITIES)

const estimateView = z
  .object({
    network: z.string(),
    coin: z.string(),
    amount,
    fee_coin: z.string(),
    estimates: z.array(
      z.object({
        priority,
        description: z.string().openapi({ example: 'Standard rate' }),
        fee_multiplier: z.string().openapi({ example: '1.0' }),
        fee: z.string(),
        fee_limit: z.string(),
        confirmation_time: z.string().openapi({ example: '10-30 minutes' }),
        estimated_confirmation_time: z.string(),
      }),
    ),
  })
  .openapi('WithdrawalEstimate')

const estimate = createRoute({
  ...secured('withdrawals'),
  method: 'post',
  path: '/withdrawals/estimate',
  summary: 'The fee for every priority',
  tags: ['Withdrawals'],
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z.strictObject({
            network: z.string().min(1).max(31),
            coin: z.string().min(1).max(31),
            amount,
            to_address: z.string().min(1).max(200).optional(),
            from_address_id: z.string().min(1).max(255).optional(),
            priority: priority.optional(),
          }),
        },
      },
    },
  },
  responses: { 200: answer(estimateView) },
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
