/** Makes a withdrawal count against its limits, or refuses it; one after the other for each merchant and coin. */

import type { PendingQuery, Row } from 'postgres'
import type { Coin } from '../../../domain/chain/network.js'
import {
  findExceeded,
  LIMIT_WINDOW_MS,
  type Limit,
  type LimitUse,
  limitExceeded,
} from '../../../domain/controls/limits.js'
import type { Transaction } from '../../connect.js'

/** What is about to be held; its row exists in this transaction already and is not counted twice. */
export interface Spend {
  readonly id: string
  readonly merchantId: string
  readonly network: string
  readonly coin: Coin
  /** Base units. */
  readonly amount: bigint
  readonly userReference: string | null
  readonly toAddress: string
  readonly at: Date
}

/** Ends that paid nothing: what they took is given back the moment they are reached. */
const UNPAID = ['rejected', 'expired', 'cancelled', 'failed', 'reverted']

/**
 * Sums what the rows of the windows hold, under a lock until the transaction ends, so that no two creations see the same
 * room. Call it in the transaction that takes the hold, after the row is there. Its cost grows with the merchant's
 * withdrawals of the coin within the widest window that is limited; without limits it does nothing.
 *
 * @throws KeyturnError `DAILY_LIMIT_EXCEEDED`, `MONTHLY_LIMIT_EXCEEDED`.
 */
export async function takeLimits(tx: Transaction, spend: Spend, limits: readonly Limit[]): Promise<void> {
  if (limits.length === 0) return
  const { merchantId, network, coin, at } = spend
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${`limits:${merchantId}:${network}:${coin.name}`}, 0))`
  const uses: LimitUse[] = []
  for (const limit of limits) uses.push({ ...limit, used: await sum(tx, spend, limit, at) })
  const exceeded = findExceeded(spend.amount, uses)
  if (exceeded) throw limitExceeded(exceeded, spend.amount, coin)
}

async function sum(tx: Transaction, spend: Spend, { scope, window }: Limit, at: Date): Promise<bigint> {
  const since = new Date(at.getTime() - LIMIT_WINDOW_MS[window])
  const counts = tx`
    merchant_id = ${spend.merchantId} AND network = ${spend.network} AND coin = ${spend.coin.name}
    AND created_at > ${since} AND stage <> ALL (${UNPAID})`
  if (scope === 'whitelist') return sumTo(tx, spend, counts)
  const [row] = await tx<{ used: bigint }[]>`
    SELECT coalesce(sum(amount), 0)::numeric AS used FROM payouts
    WHERE ${counts} AND kind IN ('withdrawal', 'batch_part') AND id <> ${spend.id}
      ${scope === 'user' ? tx`AND user_reference = ${spend.userReference}` : tx``}`
  return row?.used ?? 0n
}

/** One transaction of a batch may pay many addresses, so there the items are asked. */
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
