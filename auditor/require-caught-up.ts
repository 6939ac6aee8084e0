/** Notices books that no longer follow their chain, although the watcher reports nothing. */

import { byFamily } from '../domain/chain/by-family.js'
import type { EvmNetwork, Network, UtxoNetwork } from '../domain/chain/network.js'
import { AuditFailure } from './audit-failure.js'
import { openAccounts } from './evm/open-accounts.js'
import { toUnits } from './evm/to-units.js'
import type { NodeOptions } from './rpc/open-node.js'
import { unlessSilent } from './unless-silent.js'
import { type BlockPoint, openChains } from './utxo/open-chain.js'

/** Seconds of blocks by which the books may be behind. */
const BEHIND_SECONDS = 3_600

/**
 * Requires that the scanned head is close to the highest one of the nodes that have it in their chains.
 *
 * @throws AuditFailure `BOOKS_BEHIND`. Nodes that are away say nothing.
 */
export async function requireCaughtUp(
  network: Network,
  head: BlockPoint,
  options: NodeOptions = {},
): Promise<void> {
  const heights = await byFamily(network, {
    utxo: (utxo) => heightsOfUtxo(utxo, head, options),
    evm: (evm) => heightsOfEvm(evm, head, options),
  })
  const highest = Math.max(head.height, ...heights)
  const most = Math.max(network.confirmations, Math.ceil(BEHIND_SECONDS / network.blockTimeSeconds))
  if (highest - head.height <= most) return
  throw new AuditFailure(
    'BOOKS_BEHIND',
    `The books of ${network.name} are scanned up to block ${head.height}, and a node is at block ${highest}`,
  )
}

async function heightsOfUtxo(
  network: UtxoNetwork,
  head: BlockPoint,
  options: NodeOptions,
): Promise<number[]> {
  const chains = await openChains(network, head, options)
  const heights = await Promise.all(chains.map((chain) => unlessSilent(chain.tip())))
  return heights.filter((height) => height !== null)
}

async function heightsOfEvm(network: EvmNetwork, head: BlockPoint, options: NodeOptions): Promise<number[]> {
  const at = await unlessSilent(openAccounts(network, head, options))
  const nodes = at ? [at.node, ...at.witnesses] : []
  const heights = await Promise.all(
    nodes.map((node) =>
      unlessSilent(
        node.ask('eth_blockNumber').then((value) => Number(toUnits(value, node, 'eth_blockNumber'))),
      ),
    ),
  )
  return heights.filter((height) => height !== null)
}
