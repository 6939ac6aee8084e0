/**
 * Keeps the payees of all addresses of a network in memory, so that a block of thousands of strangers needs
 * no look-up of each in the database.
 */

import { createPayeeFilter, type PayeeFilter } from '../../domain/chain/payee-filter.js'
import type { Queryable } from '../connect.js'

export interface AddressFilter {
  /**
   * Returns the payees that may be own: each of an address that was committed before this call, and rarely
   * another.
   */
  mayBeOwn(sql: Queryable, payees: ReadonlySet<string>): Promise<string[]>
}

/** What was read of a database until one of its snapshots. */
interface Known {
  readonly filter: PayeeFilter
  /** Database that was read. Another one, or a restored one, has another incarnation. */
  readonly incarnation: string
  /** Addresses of all transactions below this one are in the filter, if they were committed. */
  horizon: bigint
}

interface Unseen {
  readonly incarnation: string
  readonly horizon: string
  /** Keys of 8 bytes each, one after the other. `null` without any. */
  readonly keys: Uint8Array | null
}

/** Addresses of one page while all are read. */
const PAGE = 100_000
const LEAST_KEY = -(2n ** 63n)

/**
 * Creates the filter of one network. It reads all addresses at its first use, and the new ones at each later
 * one. Calls may overlap.
 *
 * The new ones are those of transactions that had not ended at the snapshot of the last reading, or that
 * began after it. A snapshot names the oldest of these, so that no address is missed, by any process and
 * after a transaction of any length.
 */
export function createAddressFilter(network: string): AddressFilter {
  let known: Promise<Known> | null = null

  /** Makes the next call read everything again. */
  const forget = (reading: Promise<Known>): void => {
    if (known === reading) known = null
  }

  return {
    async mayBeOwn(sql, payees) {
      for (;;) {
        const reading = known ?? readAll(sql, network)
        known = reading
        const current = await reading.catch((error: unknown) => {
          forget(reading)
          throw error
        })
        const same = await readUnseen(sql, network, current)
        const { filter } = current
        if (!same || filter.size > filter.capacity) forget(reading)
        if (same) return [...payees].filter((payee) => filter.mayHave(payee))
      }
    },
  }
}

async function readAll(sql: Queryable, network: string): Promise<Known> {
  // The snapshot comes first. What is committed during the reading is read again as unseen.
  const [before] = await sql<{ incarnation: string; horizon: string; count: number }[]>`
    SELECT database_incarnation() AS incarnation, pg_snapshot_xmin(pg_current_snapshot())::text AS horizon,
           (SELECT count(*) FROM addresses WHERE network = ${network})::float8 AS count`
  if (!before) throw new Error('The database gave no snapshot')
  const filter = createPayeeFilter(before.count * 2)
  for (let from = LEAST_KEY, more = true; more; ) {
    const [page] = await sql<{ count: number; last: bigint; keys: Uint8Array }[]>`
      SELECT count(*)::integer AS count, max(match_key) AS last, string_agg(int8send(match_key), '') AS keys
      FROM (
        SELECT match_key FROM addresses WHERE network = ${network} AND match_key >= ${from}
        ORDER BY match_key LIMIT ${PAGE}
      ) AS page`
    if (!page || page.count === 0) break
    addKeys(filter, page.keys)
    from = page.last + 1n
    more = page.count === PAGE
  }
  return { filter, incarnation: before.incarnation, horizon: BigInt(before.horizon) }
}

/**
 * Adds the addresses that the last reading has not seen.
 *
 * @returns False if the database is not the one that was read.
 */
async function readUnseen(sql: Queryable, network: string, known: Known): Promise<boolean> {
  const from = known.horizon
  // A restored dump holds numbers of another server's transactions, which this server has not reached yet.
  const [unseen] = await sql<Unseen[]>`
    SELECT database_incarnation() AS incarnation, pg_snapshot_xmin(pg_current_snapshot())::text AS horizon, (
             SELECT string_agg(int8send(match_key), '') FROM addresses
             WHERE network = ${network} AND created_in >= ${from.toString()}::text::xid8
               AND created_in < pg_snapshot_xmax(pg_current_snapshot())) AS keys`
  if (!unseen) throw new Error('The database gave no snapshot')
  const horizon = BigInt(unseen.horizon)
  if (unseen.incarnation !== known.incarnation || horizon < from) return false
  if (unseen.keys) addKeys(known.filter, unseen.keys)
  // Calls may overlap, so a newer snapshot may have come first.
  if (horizon > known.horizon) known.horizon = horizon
  return true
}

function addKeys(filter: PayeeFilter, keys: Uint8Array): void {
  const view = new DataView(keys.buffer, keys.byteOffset, keys.byteLength)
  for (let at = 0; at < keys.byteLength; at += 8) filter.add(view.getUint32(at), view.getUint32(at + 4))
}
