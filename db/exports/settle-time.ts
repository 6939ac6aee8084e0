/** Takes the time up to which the ledger is final. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '../connect.js'

const POLL_MS = 20

export interface SettledTime {
  /** Time with microseconds, as PostgreSQL writes it. */
  readonly asOf: string
  /** Whether every transaction that was open at that time has ended. */
  readonly settled: boolean
}

/**
 * Returns the present time once every transaction has ended that was writing at that time. A posting locks its
 * accounts before it takes its time. So from then on no entry with an earlier time can appear.
 *
 * @param waitMs - Longest wait. After it the time is returned although a transaction is still open.
 * @param waiting - Called before each further check. It may throw to give up.
 */
export async function settleTime(
  sql: Sql,
  waitMs: number,
  waiting: () => void = () => {},
): Promise<SettledTime> {
  const [clock] = await sql<{ as_of: string }[]>`SELECT clock_timestamp()::text AS as_of`
  // An id of its own, taken after the time, is above those of all transactions that were writing at that time.
  // The end of a snapshot is not: it may leave out the newest one that is still open.
  const [begin] = await sql<{ id: bigint }[]>`SELECT pg_current_xact_id()::text::bigint AS id`
  if (!clock || !begin) throw new Error('PostgreSQL returned no time')
  const deadline = Date.now() + waitMs
  while ((await oldestOpen(sql)) < begin.id) {
    if (Date.now() >= deadline) return { asOf: clock.as_of, settled: false }
    await sleep(POLL_MS)
    waiting()
  }
  return { asOf: clock.as_of, settled: true }
}

/** Returns the id below which every transaction has ended. */
async function oldestOpen(sql: Sql): Promise<bigint> {
  const [row] = await sql<{ id: bigint }[]>`
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS id`
  if (!row) throw new Error('PostgreSQL returned no snapshot')
  return row.id
}
