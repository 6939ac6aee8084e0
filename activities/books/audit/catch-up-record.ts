/** Brings the auditor's record of a chain of the Bitcoin family up to the scanned head, for a rescan. */

import { openChain } from '../../../auditor/utxo/open-chain.js'
import { readWalked } from '../../../db/auditor/walked-chain.js'
import type { Sql } from '../../../db/connect.js'
import { readCursor } from '../../../db/networks/chain-cursor.js'
import { byFamily } from '../../../domain/chain/by-family.js'
import type { Network } from '../../../domain/chain/network.js'
import { walkOutputs } from './walk-outputs.js'

/**
 * Does so where a record was begun. The first one takes the whole chain, and a reconciliation begins it.
 *
 * @throws AuditFailure of the node.
 */
export async function catchUpRecord(sql: Sql, network: Network, signal: AbortSignal): Promise<void> {
  await byFamily(network, {
    utxo: async (utxo) => {
      const head = await readCursor(sql, utxo.name)
      if (!head || (await readWalked(sql, utxo.name)) === null) return
      await walkOutputs(sql, utxo, await openChain(utxo, head, { signal }), head, { signal })
    },
    evm: async () => {},
  })
}
