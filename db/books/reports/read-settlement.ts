/** Reads what a month's settlement looked like by network and coin: the float, and how long deposits and payouts took. */

import type { Window } from '../../../domain/books/period.js'
import type { Queryable } from '../../connect.js'
import { idFrom, idTo } from '../../id-range.js'
import { getBalances } from '../balances/get-balances.js'
import { isSlow, USUALLY_PENDING_MS } from '../balances/slow-deposits.js'

/** Seconds that something took. The percentiles are `null` when it never happened. */
export interface Durations {
  readonly count: number
  readonly p50: number | null
  readonly p95: number | null
}

export interface Settlement {
  readonly network: string
  readonly coin: string
  /** Base units on users' deposit addresses at the end: credited, and neither withdrawn nor consolidated. */
  readonly float: bigint
  /** From the first sight of a deposit to its credit, of those that were credited in the window. */
  readonly credit: Durations
  /** From the request of a withdrawal to its confirmation, of those that were confirmed in the window. */
  readonly confirmation: Durations
}

interface DurationRow {
  readonly network: string
  readonly coin: string
  readonly count: bigint
  readonly percentiles: readonly [number, number]
}

/** Reads one row for each enabled coin, and for each other coin in which something happened. */
export async function readSettlement(
  sql: Queryable,
  merchantId: string,
  { from, to }: Window,
): Promise<Settlement[]> {
  // A deposit that was seen before has taken longer than usual.
  const first = idFrom('dep', new Date(from.getTime() - USUALLY_PENDING_MS))
  const [held, credits, confirmations] = await Promise.all([
    getBalances(sql, { merchantId, depositAddresses: true, asOf: to, exclusive: true }),
    sql<DurationRow[]>`
      SELECT network, coin, count(*), percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
               ORDER BY extract(epoch FROM credited_at - detected_at)::float8) AS percentiles
      FROM (
        SELECT * FROM deposits
        WHERE merchant_id = ${merchantId} AND credited_at >= ${from} AND credited_at < ${to}
          AND id >= ${first} AND id < ${idTo('dep', to)}
        UNION ALL
        SELECT * FROM deposits
        WHERE merchant_id = ${merchantId} AND credited_at >= ${from} AND credited_at < ${to}
          AND id < ${first} AND ${isSlow(sql)}
      ) credited
      GROUP BY network, coin`,
    sql<DurationRow[]>`
      SELECT network, coin, count(*), percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
               ORDER BY extract(epoch FROM confirmed_at - created_at)::float8) AS percentiles
      FROM payouts
      WHERE merchant_id = ${merchantId} AND kind IN ('withdrawal', 'batch_part')
        AND confirmed_at >= ${from} AND confirmed_at < ${to}
      GROUP BY network, coin`,
  ])
  const coins = new Map([...held, ...credits, ...confirmations].map((row) => [keyOf(row), row]))
  return [...coins.keys()].sort().flatMap((key) => {
    const row = coins.get(key)
    if (!row) return []
    const balance = held.find((each) => keyOf(each) === key)
    return {
      network: row.network,
      coin: row.coin,
      float: balance?.available ?? 0n,
      credit: durations(credits.find((each) => keyOf(each) === key)),
      confirmation: durations(confirmations.find((each) => keyOf(each) === key)),
    }
  })
}

function keyOf({ network, coin }: { readonly network: string; readonly coin: string }): string {
  return `${network} ${coin}`
}

function durations(row: DurationRow | undefined): Durations {
  if (!row) return { count: 0, p50: null, p95: null }
  const [p50, p95] = row.percentiles
  return { count: Number(row.count), p50, p95 }
}
