/** Measures how long events take from their transaction to the receiver, at an even pace. */

import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { inTransaction, type Sql } from '../db/connect.js'
import { appendEvents } from '../db/events/log/append-events.js'
import { createBenchEndpoint } from './endpoint.js'
import { createBenchMerchant } from './merchant.js'
import type { Received } from './receiver.js'

/** Time after which an event that has not arrived counts as this late. */
const PATIENCE_MS = 60_000

/** How many events are committed, and how far apart. */
export interface Pace {
  readonly count: number
  readonly paceMs: number
  readonly unmeasured?: (merchantId: string) => boolean
}

/** Creates a merchant with an endpoint for each URL. @returns Its id. */
export async function merchantWith(sql: Sql, urls: readonly string[]): Promise<string> {
  const merchant = await createBenchMerchant(sql)
  for (const target of urls) await createBenchEndpoint(sql, merchant.id, target)
  return merchant.id
}

/** Commits events, each about an object of its own. @returns Their ids. */
export function happen(sql: Sql, merchantId: string, count: number): Promise<string[]> {
  return inTransaction(sql, (tx) =>
    appendEvents(
      tx,
      Array.from({ length: count }, () => {
        const id = `dep_${randomBytes(8).toString('hex')}`
        return {
          merchantId,
          type: 'deposit.status_changed' as const,
          subject: id,
          data: { id, status: 'success', amount: '0.25', note: 'n'.repeat(600) },
        }
      }),
    ),
  )
}

/**
 * Commits events of merchants in turn at an even pace, whether or not earlier ones have arrived, and measures each from
 * the start of its transaction to the arrival of the whole request.
 *
 * @param receiver - URL of the one receiver of all merchants.
 * @param unmeasured - Whether an event of the merchant is not expected at the receiver.
 */
export async function latencies(
  sql: Sql,
  merchants: readonly string[],
  receiver: string,
  { count, paceMs, unmeasured = () => false }: Pace,
): Promise<number[]> {
  const began = new Map<string, number>()
  const first = performance.now()
  for (let sample = 0; sample < count; sample++) {
    const merchant = merchants[sample % merchants.length] ?? ''
    const at = performance.timeOrigin + performance.now()
    for (const id of await happen(sql, merchant, 1)) if (!unmeasured(merchant)) began.set(id, at)
    // The next one has its time, however long this one took.
    await sleep(Math.max(0, first + (sample + 1) * paceMs - performance.now()))
  }
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    const received = (await (await fetch(receiver)).json()) as Received[]
    const arrived = new Map(received.map(({ id, at }) => [id, at]))
    const missing = [...began.keys()].filter((id) => !arrived.has(id))
    if (missing.length === 0 || Date.now() > deadline) {
      const late = performance.timeOrigin + performance.now()
      return [...began].map(([id, at]) => (arrived.get(id) ?? late) - at)
    }
    await sleep(500)
  }
}
