/** Completes matched transfers: which of them are deposits, and their sources, destinations and fee. */

import type { ChainAdapter, Transfer, TransferDetails } from '../../chains/adapter.js'
import { findOwnTransactions, isDeposit } from '../../db/chain/find-own-transactions.js'
import type { Hit } from '../../db/chain/hit.js'
import type { Match } from '../../db/chain/match-transfers.js'
import type { Queryable } from '../../db/connect.js'
import { mapConcurrently } from '../../domain/map-concurrently.js'

/** Groups under way at a time. */
const CONCURRENCY = 8
/** Transfers that are described together. */
const GROUP = 200

/**
 * Asks the node about matched transfers only.
 *
 * @param tolerant - Whether an unanswered question leaves `details` null instead of throwing.
 */
export async function describeMatches<T extends Transfer>(
  sql: Queryable,
  adapter: ChainAdapter,
  matches: readonly Match<T>[],
  tolerant: boolean,
): Promise<Hit<T>[]> {
  if (matches.length === 0) return []
  const own = await findOwnTransactions(
    sql,
    adapter.network.name,
    matches.map((match) => match.transfer.txid),
  )
  const { coins } = adapter.network
  const minimum = new Map(coins.map((coin) => [coin.name, coin.minimum ?? 0n]))
  const isSmall = ({ coin, amount }: Transfer) => amount < (minimum.get(coin) ?? 0n)
  const external = matches.filter(({ transfer, address }) => isDeposit(address, own.get(transfer.txid)))
  const deposits = external.filter(({ transfer }) => !isSmall(transfer))
  const small = new Set(external.filter(({ transfer }) => isSmall(transfer)))
  const transfers = deposits.map(({ transfer }) => transfer)
  const details = new Map<Transfer, TransferDetails>()
  const describe = async (some: readonly Transfer[]) => {
    const described = await adapter.describe(some)
    for (const [index, transfer] of some.entries()) {
      const its = described[index]
      if (its) details.set(transfer, its)
    }
  }
  await mapConcurrently(groupsOf(transfers, GROUP), CONCURRENCY, async (group) => {
    try {
      await describe(group)
    } catch (error) {
      if (!tolerant) throw error
      // A transaction that the node no longer knows leaves only itself without details.
      for (const transaction of groupsOf(group, 1)) await describe(transaction).catch(() => {})
    }
  })
  const isOne = new Set(deposits)
  return matches.map((match) => ({
    ...match,
    deposit: isOne.has(match),
    ...(small.has(match) ? { small: true } : {}),
    details: details.get(match.transfer) ?? null,
  }))
}

/**
 * Returns the transfers in groups of at least `size`, except for the last. It never divides a transaction.
 */
function groupsOf(transfers: readonly Transfer[], size: number): Transfer[][] {
  const groups: Transfer[][] = []
  for (const transfer of transfers) {
    const group = groups.at(-1)
    if (group && (group.length < size || group.at(-1)?.txid === transfer.txid)) group.push(transfer)
    else groups.push([transfer])
  }
  return groups
}
