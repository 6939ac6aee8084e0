/** Completes matched transfers: which of them are deposits, and their sources, destinations and fee. */

import type { ChainAdapter, Transfer } from '../../chains/adapter.js'
import { findOwnTransactions, isDeposit } from '../../db/chain/find-own-transactions.js'
import type { Hit } from '../../db/chain/hit.js'
import type { Match } from '../../db/chain/match-transfers.js'
import type { Queryable } from '../../db/connect.js'
import { mapConcurrently } from '../map-concurrently.js'

/** Questions to the node under way at a time. */
const CONCURRENCY = 8

/**
 * Asks the node about matched transfers only.
 *
 * @param blockHash - The block of a transfer; null for the mempool.
 * @param tolerant - Whether an unanswered question leaves `details` null instead of throwing.
 */
export async function describeMatches<T extends Transfer>(
  sql: Queryable,
  adapter: ChainAdapter,
  matches: readonly Match<T>[],
  blockHash: (transfer: T) => string | null,
  tolerant: boolean,
): Promise<Hit<T>[]> {
  if (matches.length === 0) return []
  const own = await findOwnTransactions(
    sql,
    adapter.network.name,
    matches.map((match) => match.transfer.txid),
  )
  return mapConcurrently(matches, CONCURRENCY, async ({ transfer, address }): Promise<Hit<T>> => {
    if (!isDeposit(address, own.get(transfer.txid)))
      return { transfer, address, deposit: false, details: null }
    try {
      const details = await adapter.describe(transfer, blockHash(transfer))
      return { transfer, address, deposit: true, details }
    } catch (error) {
      if (!tolerant) throw error
      return { transfer, address, deposit: true, details: null }
    }
  })
}
