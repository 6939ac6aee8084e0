/**
 * Moves address counters past every index that may have been issued, so that a restored database reuses no
 * address.
 */

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

/** Addresses checked beyond the counter. If one of them was used, as many again. */
const LOOKAHEAD = 200
/** Seconds within which a restarted server was hardly restored from a backup. */
const RESTART_SECONDS = 120
/** Number of indexes that a standby which took over may lack. */
const RESTART_GAP = 20

export interface FastForwardOptions {
  /**
   * Number of indexes left out beyond the last used one, because an issued address that was not yet paid
   * shows nowhere.
   */
  readonly gap: number
  /** Accounts that this process has compared. Those of a restarted database are compared again. */
  readonly known?: Set<string>
}

/**
 * Compares with the chain each counter that was not compared since the database started. First it moves the
 * counter past a gap, which needs no node, and then past the used addresses. The watcher watches the indexes
 * that are left out.
 *
 * @returns The number of indexes left out.
 * @throws Any error of the node or the database. The affected counters issue no address meanwhile.
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
      // An error with one account must not keep the others from issuing addresses.
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
