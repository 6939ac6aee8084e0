/** Finds the active whitelist entry of an address. */

import type { Queryable } from '../../connect.js'

/** An active entry with its own limits, in whole coins. */
export interface ActiveEntry {
  readonly id: string
  readonly label: string
  readonly daily: string | null
  readonly monthly: string | null
}

/** Returns the active entry of this canonical address. `null` if there is none, or if it still waits or cools down. */
export async function findActiveEntry(
  sql: Queryable,
  merchantId: string,
  network: string,
  address: string,
): Promise<ActiveEntry | null> {
  const [row] = await sql<ActiveEntry[]>`
    SELECT entry.id, entry.label, entry.daily_limit AS daily, entry.monthly_limit AS monthly
    FROM whitelist_entries entry JOIN control_changes change ON change.id = entry.id
    WHERE entry.merchant_id = ${merchantId} AND entry.network = ${network} AND entry.address = ${address}
      AND entry.closed_at IS NULL AND change.state = 'effective'`
  return row ?? null
}
