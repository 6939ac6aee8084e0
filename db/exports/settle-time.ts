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
  const [begin] = await sql<{ as_of: string; end: bigint; open: bigint }[]>`
    SELECT clock_timestamp()::text AS as_of, pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS end,
           pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS open`
  if (!begin) throw new Error('PostgreSQL returned no time')
  const deadline = Date.now() + waitMs
  let { open } = begin
  while (open < begin.end) {
    if (Date.now() >= deadline) return { asOf: begin.as_of, settled: false }
    await sleep(POLL_MS)
    waiting()
    const [now] = await sql<{ open: bigint }[]>`
      SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS open`
    open = now?.open ?? open
  }
  return { asOf: begin.as_of, settled: true }
}
