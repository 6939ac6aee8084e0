/** Counts a batch against its limits as a whole, and against those of each whitelisted destination. */

import type { Coin } from '../../../domain/chain/network.js'
import { bindingLimits } from '../../../domain/controls/limits.js'
import type { Policy } from '../../../domain/controls/policy.js'
import type { Transaction } from '../../connect.js'
import { type Spend, takeLimits } from '../../controls/limits/take-limits.js'
import type { ActiveEntry } from '../../controls/whitelist/find-active-entry.js'

export interface BatchSpend extends Omit<Spend, 'toAddress' | 'amount'> {
  readonly coin: Coin
  readonly items: readonly { readonly toAddress: string; readonly amount: bigint }[]
}

/**
 * Takes the limits, or rejects the batch. Call it in the transaction that takes the hold, before the parts
 * are stored.
 *
 * @throws KeyturnError `DAILY_LIMIT_EXCEEDED`, `MONTHLY_LIMIT_EXCEEDED`.
 */
export async function takeBatchLimits(
  tx: Transaction,
  batch: BatchSpend,
  limits: Policy['limits'],
  entries: ReadonlyMap<string, ActiveEntry>,
): Promise<void> {
  const { network, coin, userReference } = batch
  const total = batch.items.reduce((sum, item) => sum + item.amount, 0n)
  const whole = bindingLimits(limits, { network, coin, userReference, entry: null })
  await takeLimits(tx, { ...batch, amount: total, toAddress: '' }, whole)
  const amounts = new Map<string, bigint>()
  for (const { toAddress, amount } of batch.items) {
    amounts.set(toAddress, (amounts.get(toAddress) ?? 0n) + amount)
  }
  for (const [toAddress, amount] of amounts) {
    const entry = entries.get(toAddress)
    if (!entry) continue
    const own = bindingLimits({ merchant: [], user: [] }, { network, coin, userReference: null, entry })
    await takeLimits(tx, { ...batch, amount, toAddress }, own)
  }
}
