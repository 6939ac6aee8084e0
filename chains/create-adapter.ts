/** Picks the adapter of a network's family. */

import { assertNever } from '../domain/assert-never.js'
import type { Network } from '../domain/chain/network.js'
import type { ChainAdapter } from './adapter.js'
import { createEvmAdapter } from './evm/create-evm-adapter.js'
import { createUtxoAdapter } from './utxo/create-utxo-adapter.js'

/** Creates the adapter of a network; nothing is connected before its first use. Close it when done. */
export function createAdapter(network: Network): ChainAdapter {
  switch (network.family) {
    case 'evm':
      return createEvmAdapter(network)
    case 'utxo':
      return createUtxoAdapter(network)
    default:
      return assertNever(network)
  }
}
