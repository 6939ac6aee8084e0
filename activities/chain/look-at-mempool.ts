/** Polls the mempool of a network. */

import type { ChainAdapter } from '../../chains/adapter.js'
import type { AddressFilter } from '../../db/chain/address-filter.js'
import { applyMempool } from '../../db/chain/apply-mempool.js'
import { matchTransfers } from '../../db/chain/match-transfers.js'
import type { Watch } from '../../db/chain/take-watch.js'
import type { Sql } from '../../db/connect.js'
import { describeMatches } from './describe-matches.js'

/**
 * Polls the mempool and records what it means for own addresses.
 *
 * @param seen - Transactions of the last poll, which are not parsed again. Empty after a start or a reorg.
 * @returns The `seen` of the next poll.
 */
export async function lookAtMempool(
  sql: Sql,
  adapter: ChainAdapter,
  seen: ReadonlySet<string>,
  watch?: Watch,
  filter?: AddressFilter,
): Promise<ReadonlySet<string>> {
  const look = await adapter.mempool(seen)
  const matches = await matchTransfers(sql, adapter.network.name, look.transfers, filter)
  // A transaction may leave the mempool during the poll. If it is unknown then, it is checked again once it
  // is mined.
  const hits = await describeMatches(sql, adapter, matches, true)
  await applyMempool(sql, adapter.network, look, hits, watch)
  return look.txids
}
