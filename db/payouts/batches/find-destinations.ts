/**
 * Finds what is known about a batch's destinations: whitelist entries, sanctions, and whether they were paid
 * before.
 */

import type { Queryable } from '../../connect.js'
import { findSanctioned } from '../../controls/sanctions/find-sanctioned.js'
import type { ActiveEntry } from '../../controls/whitelist/find-active-entry.js'

export interface Destinations {
  /** Active whitelist entries by address. */
  readonly entries: ReadonlyMap<string, ActiveEntry>
  readonly sanctioned: ReadonlySet<string>
  /** Fewest payouts that a destination without a whitelist entry received before (counted up to 1). */
  readonly paidBefore: number
}

/** Looks up all addresses at once. They are in the network's canonical form. */
export async function findDestinations(
  sql: Queryable,
  merchantId: string,
  network: string,
  addresses: readonly string[],
): Promise<Destinations> {
  const distinct = [...new Set(addresses)]
  const rows = await sql<(ActiveEntry & { address: string })[]>`
    SELECT entry.address, entry.id, entry.label, entry.daily_limit AS daily, entry.monthly_limit AS monthly
    FROM whitelist_entries entry JOIN control_changes change ON change.id = entry.id
    WHERE entry.merchant_id = ${merchantId} AND entry.network = ${network} AND entry.address = ANY (${distinct})
      AND entry.closed_at IS NULL AND change.state = 'effective'`
  const entries = new Map(rows.map(({ address, ...entry }) => [address, entry]))
  const listed = await findSanctioned(sql, distinct)
  const strangers = distinct.filter((address) => !entries.has(address))
  const [unpaid] = await sql`
    SELECT 1 FROM unnest(${strangers}::text[]) AS wanted (address)
    WHERE NOT EXISTS (
            SELECT 1 FROM payouts
            WHERE merchant_id = ${merchantId} AND network = ${network} AND to_address = wanted.address
              AND stage = 'confirmed')
      AND NOT EXISTS (
            SELECT 1 FROM batch_items item JOIN payouts part ON part.id = item.part_id
            WHERE item.to_address = wanted.address AND item.failure_code IS NULL AND part.merchant_id = ${merchantId}
              AND part.network = ${network} AND part.stage = 'confirmed')
    LIMIT 1`
  return { entries, sanctioned: listed, paidBefore: unpaid ? 0 : 1 }
}
