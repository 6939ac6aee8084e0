/** Finds the hash of a block whose header the books no longer keep, on the chain that the books follow. */

import { byFamily } from '../domain/chain/by-family.js'
import type { Network } from '../domain/chain/network.js'
import { AuditFailure } from './audit-failure.js'
import { openAccounts } from './evm/open-accounts.js'
import type { NodeOptions } from './rpc/open-node.js'
import { type BlockPoint, openChain } from './utxo/open-chain.js'

/**
 * Returns the hash at a height below `head`. The node must have `head` in its chain, so the block is one below it.
 *
 * @param head - The block up to which the books are scanned.
 * @throws AuditFailure.
 */
export async function findHash(
  network: Network,
  head: BlockPoint,
  height: number,
  options: NodeOptions = {},
): Promise<string> {
  const hash = await byFamily(network, {
    utxo: async (utxo) => (await openChain(utxo, head, options)).hashAt(height),
    evm: async (evm) => {
      const { node } = await openAccounts(evm, head, options)
      const block = (await node.ask('eth_getBlockByNumber', `0x${height.toString(16)}`, false)) as {
        hash?: unknown
      } | null
      return typeof block?.hash === 'string' ? block.hash : null
    },
  })
  if (hash !== null) return hash
  throw new AuditFailure('NODE_BEHIND', `No node of ${network.name} has block ${height}`)
}
