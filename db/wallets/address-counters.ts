/** Reads the counters from which address indexes are taken. */

import type { Queryable } from '../connect.js'

export interface AddressCounter {
  /** Id of the key account. */
  readonly id: string
  readonly merchantId: string
  readonly xpub: string
  readonly path: string
  readonly branch: number
  readonly nextIndex: number
  /** Whether, since the database started, it was raised past indexes that may have been assigned after a backup. */
  readonly moved: boolean
  /** Whether it was compared with the chain since the database started. */
  readonly compared: boolean
}

/** Returns the counters of a network. Deposit addresses are branch 0 of the deposit account. */
export async function addressCounters(sql: Queryable, network: string): Promise<AddressCounter[]> {
  const rows = await sql<
    {
      id: string
      merchant_id: string
      xpub: string
      path: string
      next_index: number
      moved: boolean
      compared: boolean
    }[]
  >`
    SELECT id, merchant_id, xpub, path, next_index,
           counter_moved IS NOT DISTINCT FROM database_incarnation() AS moved,
           counter_compared IS NOT DISTINCT FROM database_incarnation() AS compared
    FROM key_accounts WHERE network = ${network} AND role = 'deposit' ORDER BY id`
  return rows.map(({ merchant_id: merchantId, next_index: nextIndex, ...row }) => ({
    ...row,
    merchantId,
    nextIndex,
    branch: 0,
  }))
}

/** Returns whether a counter of the network was not compared with the chain since the database started. */
export async function hasUncomparedCounters(sql: Queryable, network: string): Promise<boolean> {
  const [row] = await sql<{ found: boolean }[]>`
    SELECT EXISTS (SELECT FROM key_accounts WHERE network = ${network} AND role = 'deposit'
                     AND counter_compared IS DISTINCT FROM database_incarnation()) AS found`
  return row?.found ?? false
}

/** Records that a counter was compared with the chain, so that addresses can be assigned from it. */
export async function markCounterCompared(sql: Queryable, id: string): Promise<void> {
  await sql`UPDATE key_accounts SET counter_compared = database_incarnation() WHERE id = ${id}`
}

/** Returns the seconds since the network's watcher last wrote. `null` if it never did. A backup is older than that. */
export async function secondsOfSilence(sql: Queryable, network: string): Promise<number | null> {
  const [row] = await sql<{ seconds: number }[]>`
    SELECT extract(epoch FROM clock_timestamp() - updated_at)::float8 AS seconds
    FROM chain_cursors WHERE network = ${network}`
  return row?.seconds ?? null
}
