/** Keeps how far a comparison with a chain is, and what it found, so that one that dies goes on where it was. */

import type { Difference, DifferenceAbout } from '../../domain/books/difference.js'
import { json, type Queryable } from '../connect.js'

/** What was found so far. Differences above a limit are counted and not kept. */
export interface FoundSoFar {
  readonly differences: readonly Difference[]
  /** The exception that each of the differences raises, as `Findings.about`. */
  readonly about: readonly (DifferenceAbout | null)[]
  readonly expected: readonly Difference[]
  readonly differenceCount: number
  readonly expectedCount: number
}

export interface ChainAuditRow {
  readonly block: { readonly height: number; readonly hash: string }
  /** Coin and address after which the next page begins. `null` at the beginning. */
  readonly place: { readonly coin: string; readonly addressId: string } | null
  readonly examined: number
  readonly found: FoundSoFar
  /** Whether it began again at this block, because the nodes no longer kept the balances at an earlier one. */
  readonly renewed?: boolean | undefined
}

interface Row {
  readonly block_number: bigint
  readonly block_hash: string
  readonly coin: string | null
  readonly address_id: string | null
  readonly examined: bigint
  readonly found: FoundSoFar & Pick<ChainAuditRow, 'renewed'>
}

/** Returns a comparison that is under way. `null` without one. @param key - The run and the network. */
export async function readChainAudit(sql: Queryable, key: string): Promise<ChainAuditRow | null> {
  const [row] = await sql<Row[]>`
    SELECT block_number, block_hash, coin, address_id, examined, found FROM chain_audits WHERE key = ${key}`
  if (!row) return null
  return {
    block: { height: Number(row.block_number), hash: row.block_hash },
    place:
      row.coin === null || row.address_id === null ? null : { coin: row.coin, addressId: row.address_id },
    examined: Number(row.examined),
    found: row.found,
    renewed: row.found.renewed,
  }
}

/** Stores it. */
export async function saveChainAudit(sql: Queryable, key: string, audit: ChainAuditRow): Promise<void> {
  await sql`
    INSERT INTO chain_audits (key, block_number, block_hash, coin, address_id, examined, found)
    VALUES (${key}, ${audit.block.height}, ${audit.block.hash}, ${audit.place?.coin ?? null},
            ${audit.place?.addressId ?? null}, ${audit.examined}, ${json(sql, { ...audit.found, renewed: audit.renewed })})
    ON CONFLICT (key) DO UPDATE
    SET block_number = excluded.block_number, block_hash = excluded.block_hash, coin = excluded.coin,
        address_id = excluded.address_id, examined = excluded.examined, found = excluded.found,
        updated_at = clock_timestamp()`
}

/** Deletes it once its run has the result, and those that no run has asked for in a week. */
export async function forgetChainAudit(sql: Queryable, key: string): Promise<void> {
  await sql`
    DELETE FROM chain_audits
    WHERE key = ${key} OR updated_at < clock_timestamp() - interval '7 days'`
}
