/** Moves address counters past everything that may have been given out already, so that a restored database reuses nothing. */

import type { ChainAdapter } from '../../chains/adapter.js'
import type { Sql } from '../../db/connect.js'
import {
  type AddressCounter,
  addressCounters,
  markCounterCompared,
  secondsOfSilence,
} from '../../db/wallets/address-counters.js'
import { skipIndexes } from '../../db/wallets/skip-indexes.js'
import { deriveAddress } from '../../domain/address/derive-address.js'

/** Addresses looked at beyond the counter; while one of them was used, as many again. */
const LOOKAHEAD = 200
/** A server that is started again within this time was hardly restored from a backup in between. */
const RESTART_SECONDS = 120
/** What a standby that took over may lack of the last moments. */
const RESTART_GAP = 20

export interface FastForwardOptions {
  /** Indexes left out beyond the last that was used, because those that were given out and not yet paid show nowhere. */
  readonly gap: number
  /** Accounts that this process has compared already; those of a database that was started again are compared all the same. */
  readonly known?: Set<string>
}

/**
 * Compares each counter with the chain that was not compared since the database was started: first it is moved past a gap,
 * which needs no node, then past what was used. What is left out is watched.
 *
 * @returns How many indexes were left out.
 * @throws What the node or the database throws; the counters that it concerns give out no address meanwhile.
 */
export async function fastForwardAddresses(
  sql: Sql,
  adapter: ChainAdapter,
  { gap, known = new Set() }: FastForwardOptions,
): Promise<number> {
  const { network } = adapter
  const counters = await addressCounters(sql, network.name)
  let skipped = 0
  let failure: unknown = null
  for (const counter of counters.filter((each) => !each.moved)) {
    const silence = await secondsOfSilence(sql, network.name)
    const suspicious = silence !== null && silence > RESTART_SECONDS
    const to = counter.nextIndex + (suspicious ? gap : Math.min(gap, RESTART_GAP))
    try {
      skipped += await skipIndexes(sql, { network, account: counter, to, suspicious, once: true })
    } catch (error) {
      failure ??= error
    }
  }
  for (const counter of await addressCounters(sql, network.name)) {
    if (!counter.moved || (counter.compared && known.has(counter.id))) continue
    try {
      skipped += await compare(sql, adapter, counter, gap)
      if (!counter.compared) await markCounterCompared(sql, counter.id)
      known.add(counter.id)
    } catch (error) {
      // One account must not keep the others from giving out addresses.
      failure ??= error
    }
  }
  if (failure !== null) throw failure
  return skipped
}

async function compare(
  sql: Sql,
  adapter: ChainAdapter,
  account: AddressCounter,
  gap: number,
): Promise<number> {
  const { network } = adapter
  let next = account.nextIndex
  for (;;) {
    const from = next
    const addresses = Array.from(
      { length: LOOKAHEAD },
      (_, offset) =>
        deriveAddress({ network, xpub: account.xpub, branch: account.branch, index: from + offset }).address,
    )
    const highest = (await adapter.used(addresses)).lastIndexOf(true)
    if (highest < 0) break
    next = from + highest + 1
  }
  if (next === account.nextIndex) return 0
  return skipIndexes(sql, { network, account, to: next + gap, suspicious: true, once: false })
}
