/** Walks a batch: several items, two of them to the same address, under one round of approvals. */

import type { Client } from '../../client/create-client.js'
import { formatAmount, parseAmount } from '../../domain/money.js'
import type { StackFile } from '../stack/stack-file.js'
import type { Flow } from './flows.js'
import type { Leg } from './leg.js'
import { approve } from './people.js'
import { until } from './until.js'
import { webhooksOf } from './webhooks.js'

const AMOUNTS = ['0.01', '0.02', '0.03'] as const

/** Walks the batch on the merchant's own account. @throws Error at the first step that fails. */
export async function walkBatch(stack: StackFile, client: Client, flow: Flow, leg: Leg): Promise<void> {
  leg.begin('batch')
  const [first, second] = [flow.stranger(), flow.stranger()]
  const recipients = [first, second, first]
  const outputs = AMOUNTS.map((amount, index) => ({ to_address: recipients[index] ?? first, amount }))
  const batch = await client.batches.create({
    batch_withdrawal: { network: flow.network, coin: flow.coin, outputs, priority: 'high' },
  })
  leg.done(`batch of ${outputs.length} items requested (${batch.id})`)

  leg.begin('approvals')
  leg.done(`approved once, by ${await approve(stack, 'batches', batch.id)}`)

  leg.begin('payment')
  const paid = await until('the batch is confirmed', async () => {
    const now = await client.batches.get(batch.id)
    if (now.stage === 'completed' && now.status !== 'confirmed')
      throw new Error(
        `${now.status}: ${now.items.map((item) => item.failure?.message ?? item.status).join('; ')}`,
      )
    return now.status === 'confirmed' ? now : null
  })
  const hashes = new Set(paid.items.map((item) => item.transaction_hash))
  leg.done(
    `confirmed in ${hashes.size} ${hashes.size === 1 ? 'transaction' : 'transactions'} (${[...hashes].join(', ')})`,
  )

  leg.begin('balances')
  for (const recipient of new Set(recipients)) {
    const expected = outputs
      .filter((output) => output.to_address === recipient)
      .reduce((sum, { amount }) => sum + parseAmount(amount, flow.decimals), 0n)
    const held = await flow.holds(recipient)
    if (held !== expected)
      throw new Error(`${recipient} holds ${formatAmount(held, flow.decimals)} ${flow.coin} on chain`)
  }
  const received = await webhooksOf(stack, batch.id, 'batch.status_changed', 'confirmed')
  leg.done(`each recipient has it on chain; ${received} batch webhooks verified`)
}
