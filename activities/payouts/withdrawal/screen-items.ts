/** Asks a screening service about the recipients of a part of a batch, before anything is built for it. */

import { Context } from '@temporalio/activity'
import { readUnscreenedItems, storeItemScreening } from '../../../db/payouts/batches/item-screening.js'
import type { PayoutRow } from '../../../db/payouts/payout-row.js'
import { mapConcurrently } from '../../../domain/map-concurrently.js'
import { askScreening } from '../../../egress/screening/ask-screening.js'
import { type WaitStep, type WithdrawalChainDependencies, waitFor } from './dependencies.js'

/** Most questions at a time. */
const CONCURRENCY = 8

/**
 * Asks about each item once, under the item's own id, and stores its answer. Nothing is built while one item
 * has no answer.
 *
 * @returns Why the part waits. `null` when every item has its answer, or none needs one.
 */
export async function screenItems(
  dependencies: WithdrawalChainDependencies,
  part: PayoutRow,
): Promise<WaitStep | null> {
  if (part.outputs === null) return null
  const { sql, screening } = dependencies
  const items = await readUnscreenedItems(sql, part.id)
  if (items.length === 0) return null
  const unavailable = (reason: string) =>
    waitFor(dependencies, part.id, 'SCREENING_UNAVAILABLE', `A recipient is not screened yet: ${reason}`)
  if (!screening) return unavailable('this worker knows no screening service')
  const signal = Context.current().cancellationSignal
  const reasons = await mapConcurrently(items, CONCURRENCY, async (item) => {
    const question = {
      id: item.id,
      merchant_id: part.merchant_id,
      network: part.network,
      coin: part.coin,
      amount: item.amount_sent,
      to_address: item.to_address,
      user_reference: part.user_reference,
      batch_id: part.batch_id,
      created_at: part.created_at.toISOString(),
    }
    const said = await askScreening(screening, question, signal)
    if ('unavailable' in said) return said.unavailable
    await storeItemScreening(sql, part.merchant_id, item.id, said)
    return null
  })
  const reason = reasons.find((each) => each !== null)
  return reason === undefined || reason === null ? null : unavailable(reason)
}
