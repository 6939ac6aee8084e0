/** Moves address counters past everything that was ever used on the chain, so that a restored database reuses nothing. */

import type { ChainAdapter } from '../../chains/adapter.js'
import { addressCounters, raiseAddressCounter } from '../../db/addresses/address-counters.js'
import type { Sql } from '../../db/connect.js'
import { deriveAddress } from '../../domain/address/derive-address.js'

/** Addresses looked at beyond the counter; while one of them was used, as many again. */
const LOOKAHEAD = 200

/** @returns How many indexes were skipped. */
export async function fastForwardAddresses(sql: Sql, adapter: ChainAdapter): Promise<number> {
  const { network } = adapter
  let skipped = 0
  for (const account of await addressCounters(sql, network.name)) {
    let next = account.nextIndex
    for (;;) {
      const from = next
      const addresses = Array.from(
        { length: LOOKAHEAD },
        (_, offset) =>
          deriveAddress({ network, xpub: account.xpub, branch: account.branch, index: from + offset })
            .address,
      )
      const highest = (await adapter.used(addresses)).lastIndexOf(true)
      if (highest < 0) break
      next = from + highest + 1
      await raiseAddressCounter(sql, account.id, next)
    }
    skipped += next - account.nextIndex
  }
  return skipped
}
