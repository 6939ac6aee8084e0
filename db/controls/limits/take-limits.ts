/** Counts a payout or a transfer against its limits, or refuses it. Those of one merchant and coin are counted one at a time. */

import type { PendingQuery, Row } from 'postgres'
import type { Coin } from '../../../domain/chain/network.js'
import {
  findExceeded,
  LIMIT_WINDOW_MS,
  type Limit,
  type LimitUse,
  limitExceeded,
} from '../../../domain/controls/limits.js'
import { UNPAID_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import type { Transaction } from '../../connect.js'
import { idFrom } from '../../id-range.js'
import { members } from '../../members.js'

/** Amount that is about to be held. Its row already exists in this transaction and is not counted twice. */
export interface Spend {
  readonly id: string
  readonly merchantId: string
  readonly network: string
  readonly coin: Coin
  /** Amount in base units. */
  readonly amount: bigint
  readonly userReference: string | null
  /** Address that receives. `null` for a transfer, which stays on the books. */
  readonly toAddress: string | null
  readonly at: Date
}

/**
 * Sums the rows within each window, under a lock until the transaction ends, so that two creations cannot use
 * the same remainder of a limit. Call it in the transaction that takes the hold, after the row is inserted.
 * Its cost grows with the merchant's payouts and transfers of the coin within the widest limited window. Without limits it
 * does nothing.
 *
 * @throws KeyturnError `DAILY_LIMIT_EXCEEDED`, `MONTHLY_LIMIT_EXCEEDED`.
 */
export async function takeLimits(tx: Transaction, spend: Spend, limits: readonly Limit[]): Promise<void> {
  if (limits.length === 0) return
  const { merchantId, network, coin, at } = spend
  await lockLimits(tx, merchantId, network, coin.name)
  const uses: LimitUse[] = []
  for (const limit of limits) uses.push({ ...limit, used: await sum(tx, spend, limit, at) })
  const exceeded = findExceeded(spend.amount, uses)
  if (exceeded) throw limitExceeded(exceeded, spend.amount, coin)
}

/** Makes others wait who count against limits of the same coin, before the accounts of a payout are locked. */
export async function lockLimits(
  tx: Transaction,
  merchantId: string,
  network: string,
  coin: string,
): Promise<void> {
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${`limits:${merchantId}:${network}:${coin}`}, 0))`
}

async function sum(tx: Transaction, spend: Spend, { scope, window }: Limit, at: Date): Promise<bigint> {
  const since = new Date(at.getTime() - LIMIT_WINDOW_MS[window])
  const counts = tx`
    merchant_id = ${spend.merchantId} AND network = ${spend.network} AND coin = ${spend.coin.name}
    AND created_at > ${since} AND stage NOT IN ${members(tx, UNPAID_PAYOUTS)}`
  if (scope === 'whitelist') return sumTo(tx, spend, counts)
  const [row] = await tx<{ used: bigint }[]>`
    SELECT coalesce(sum(amount), 0)::numeric AS used FROM (
      SELECT amount FROM payouts
      WHERE ${counts} AND kind IN ('withdrawal', 'batch_part') AND id <> ${spend.id}
        ${scope === 'user' ? tx`AND user_reference = ${spend.userReference}` : tx``}
      UNION ALL
      SELECT amount FROM transfers
      WHERE merchant_id = ${spend.merchantId} AND network = ${spend.network} AND coin = ${spend.coin.name}
        AND id > ${idFrom('trf', since)} AND created_at > ${since} AND id <> ${spend.id}
        ${scope === 'user' ? tx`AND from_user_reference = ${spend.userReference}` : tx``}
    ) spent`
  return row?.used ?? 0n
}

/** Sums what one address receives. It sums items for batches, because one transaction may pay many addresses. */
async function sumTo(tx: Transaction, spend: Spend, counts: PendingQuery<Row[]>): Promise<bigint> {
  const [row] = await tx<{ used: bigint }[]>`
    SELECT coalesce(sum(amount), 0)::numeric AS used FROM (
      SELECT amount FROM payouts
      WHERE ${counts} AND kind = 'withdrawal' AND to_address = ${spend.toAddress} AND id <> ${spend.id}
      UNION ALL
      SELECT item.amount FROM batch_items item
      WHERE item.to_address = ${spend.toAddress} AND item.failure_code IS NULL
        AND EXISTS (SELECT 1 FROM payouts WHERE id = item.part_id AND ${counts})
    ) paid`
  return row?.used ?? 0n
}
