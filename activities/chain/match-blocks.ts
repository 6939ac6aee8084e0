/** Matches the transfers of fetched blocks with own addresses. */

import type { Block, Transfer } from '../../chains/adapter.js'
import type { AddressFilter } from '../../db/chain/address-filter.js'
import type { MinedTransfer } from '../../db/chain/hit.js'
import { type Match, matchTransfers } from '../../db/chain/match-transfers.js'
import type { Sql } from '../../db/connect.js'

/** Matches all blocks in one probe. Only the matches then find their block. */
export async function matchBlocks(
  sql: Sql,
  network: string,
  blocks: readonly Block[],
  filter: AddressFilter | undefined,
): Promise<Match<MinedTransfer>[]> {
  const transfers: Transfer[] = []
  for (const block of blocks) for (const transfer of block.transfers) transfers.push(transfer)
  const matched = new Map(
    (await matchTransfers(sql, network, transfers, filter)).map((match) => [match.transfer, match.address]),
  )
  if (matched.size === 0) return []
  return blocks.flatMap((block) =>
    block.transfers.flatMap((transfer) => {
      const address = matched.get(transfer)
      return address ? [{ transfer: { ...transfer, block }, address }] : []
    }),
  )
}

/**
 * Returns the part of fetched blocks that continues one chain. If the node changed its chain in between, the
 * rest is fetched again.
 *
 * @param previous - The block below, if it was fetched as well.
 */
export function linked(blocks: readonly Block[], from: number, previous: Block | undefined): Block[] {
  const chain: Block[] = []
  for (const block of blocks) {
    const below = chain.at(-1) ?? previous
    if (block.height !== from + chain.length || (below && block.parentHash !== below.hash)) break
    chain.push(block)
  }
  return chain
}
