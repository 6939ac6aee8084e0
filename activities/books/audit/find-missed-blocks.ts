/** Finds the blocks in which one address received what the books do not have, for a rescan. */

import { openAccounts } from '../../../auditor/evm/open-accounts.js'
import { findMissedDeposits } from '../../../auditor/find-missed-deposits.js'
import { requireCaughtUp } from '../../../auditor/require-caught-up.js'
import { openChain } from '../../../auditor/utxo/open-chain.js'
import { findAddress } from '../../../db/auditor/find-issued.js'
import { blocksOfMissingOutputs } from '../../../db/auditor/missing-outputs.js'
import type { Sql } from '../../../db/connect.js'
import { readCursor } from '../../../db/networks/chain-cursor.js'
import { byFamily } from '../../../domain/chain/by-family.js'
import type { Network } from '../../../domain/chain/network.js'
import { surplusOf } from './surplus-of.js'
import { walkOutputs } from './walk-outputs.js'

/** Blocks that one rescan of an address takes. Another one takes the others. */
const MOST = 1_000

/**
 * Returns the blocks in their order, up to the scanned head.
 *
 * @throws AuditFailure of the node, and `BOOKS_BEHIND` where the watcher has not followed the chain to its head.
 */
export async function findMissedBlocks(
  sql: Sql,
  network: Network,
  addressId: string,
  signal: AbortSignal,
): Promise<number[]> {
  const head = await readCursor(sql, network.name)
  const address = await findAddress(sql, addressId)
  if (!head || !address) return []
  await requireCaughtUp(network, head, { signal })
  return byFamily(network, {
    utxo: async (utxo) => {
      const chain = await openChain(utxo, head, { signal })
      await walkOutputs(sql, utxo, chain, head, { signal })
      return blocksOfMissingOutputs(sql, utxo.name, addressId, MOST)
    },
    evm: async (evm) => {
      const at = await openAccounts(evm, head, { signal })
      const heights = new Set<number>()
      for (const coin of evm.coins) {
        const missed = await findMissedDeposits(
          at,
          await surplusOf(sql, evm.name, address, coin, head.height),
        )
        for (const { height } of missed) heights.add(height)
      }
      return [...heights].sort((a, b) => a - b).slice(0, MOST)
    },
  })
}
