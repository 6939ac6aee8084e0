/** The counters from which address indexes are taken. */

import type { Queryable } from '../connect.js'

export interface AddressCounter {
  /** Id of the key account. */
  readonly id: string
  readonly xpub: string
  readonly branch: number
  readonly nextIndex: number
}

/** Counters of a network: deposit addresses are branch 0 of the deposit account. */
export async function addressCounters(sql: Queryable, network: string): Promise<AddressCounter[]> {
  const rows = await sql<{ id: string; xpub: string; next_index: number }[]>`
    SELECT id, xpub, next_index FROM key_accounts WHERE network = ${network} AND role = 'deposit' ORDER BY id`
  return rows.map((row) => ({ id: row.id, xpub: row.xpub, branch: 0, nextIndex: row.next_index }))
}

/** Raises a counter; it never goes back. */
export async function raiseAddressCounter(sql: Queryable, id: string, nextIndex: number): Promise<void> {
  await sql`UPDATE key_accounts SET next_index = greatest(next_index, ${nextIndex}) WHERE id = ${id}`
}
