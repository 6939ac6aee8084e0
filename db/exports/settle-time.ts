/** Takes the time up to which the ledger of a merchant is final. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '../connect.js'

const POLL_MS = 20

export interface SettledTime {
  /** Time with microseconds, as PostgreSQL writes it. */
  readonly asOf: string
  /** Whether every transaction that was posting for the merchant at that time has ended. */
  readonly settled: boolean
}

/**
 * Returns the present time once every transaction has ended that was posting for the merchant at that time. A posting
 * takes its mark (`posting_mark` of the database) before it takes its time. So from then on no entry with an earlier
 * time can appear. Other merchants' transactions, and those that only read, delay nothing.
 *
 * @param waitMs - Longest wait. After it the time is returned although a transaction is still open.
 * @param waiting - Called before each further check. It may throw to give up.
 */
export async function settleTime(
  sql: Sql,
  merchantId: string,
  waitMs: number,
  waiting: () => void = () => {},
): Promise<SettledTime> {
  const [clock] = await sql<{ as_of: string }[]>`SELECT clock_timestamp()::text AS as_of`
  if (!clock) throw new Error('PostgreSQL returned no time')
  const deadline = Date.now() + waitMs
  let open = await postingFor(sql, merchantId)
  while (open.length > 0) {
    if (Date.now() >= deadline) return { asOf: clock.as_of, settled: false }
    await sleep(POLL_MS)
    waiting()
    // Those that began to post since then have a later time, so there is always an end to wait for.
    const now = new Set(await postingFor(sql, merchantId))
    open = open.filter((transaction) => now.has(transaction))
  }
  return { asOf: clock.as_of, settled: true }
}

/** Returns the transactions that hold the mark of a merchant. */
async function postingFor(sql: Sql, merchantId: string): Promise<string[]> {
  const rows = await sql<{ transaction: string }[]>`
    SELECT virtualtransaction AS transaction FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = 192
      AND objid = posting_mark(${merchantId})::oid
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
  return rows.map(({ transaction }) => transaction)
}
