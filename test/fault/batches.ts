/**
 * Batches that the merchant pays from its own account: one transaction an item on Ethereum, one for all items
 * on Bitcoin.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '../../client/create-client.js'
import { formatAmount, parseAmount } from '../../domain/money.js'
import type { StackFile } from '../../local/stack/stack-file.js'
import { approve } from './approve.js'
import { COINS, type CoinName, freshRecipient } from './coins.js'
import type { Random } from './random.js'

export interface RequestedBatch {
  readonly id: string
  readonly coin: CoinName
  readonly outputs: readonly { readonly recipient: string; readonly amount: bigint }[]
}

const AMOUNTS = { usdt: ['1', '20'], btc: ['0.001', '0.01'] } as const

/**
 * Draws all batches in advance. @returns A function that requests each batch twice at once and approves it as
 * two people.
 */
export function createBatches(
  stack: StackFile,
  client: Client,
  random: Random,
): () => Promise<RequestedBatch[]> {
  const plans = (['usdt', 'btc'] as const).map((coin) => {
    const { decimals } = COINS[coin]
    const [least, most] = AMOUNTS[coin].map((text) => Number(parseAmount(text, decimals)))
    return {
      coin,
      afterMs: random.between(0, 25_000),
      thinkMs: [random.between(0, 2_000), random.between(0, 3_000)] as const,
      outputs: Array.from({ length: 4 }, () => ({
        recipient: freshRecipient(coin),
        amount: BigInt(random.between(least ?? 0, most ?? 0)),
      })),
    }
  })
  return () => Promise.all(plans.map((plan) => payBatch(stack, client, plan)))
}

async function payBatch(
  stack: StackFile,
  client: Client,
  plan: Omit<RequestedBatch, 'id'> & {
    readonly afterMs: number
    readonly thinkMs: readonly [number, number]
  },
): Promise<RequestedBatch> {
  const { coin, outputs } = plan
  const { network, decimals } = COINS[coin]
  await sleep(plan.afterMs)
  const request = () =>
    client.batches.create(
      {
        batch_withdrawal: {
          network,
          coin,
          outputs: outputs.map(({ recipient, amount }) => ({
            to_address: recipient,
            amount: formatAmount(amount, decimals),
          })),
          priority: 'high',
        },
      },
      { idempotencyKey: `batch of ${coin}` },
    )
  const [created, again] = await Promise.all([request(), request()])
  if (created.id !== again.id) throw new Error(`One request made ${created.id} and ${again.id}`)
  await approve(stack, 'batches', created.id, plan.thinkMs)
  return { id: created.id, coin, outputs }
}
