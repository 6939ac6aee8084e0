/** Creates the adapter of a network's family. */

import { byFamily } from '../domain/chain/by-family.js'
import type { Network } from '../domain/chain/network.js'
import type { ChainAdapter } from './adapter.js'
import { createEvmAdapter } from './evm/create-evm-adapter.js'
import { createUtxoAdapter } from './utxo/create-utxo-adapter.js'

/** Creates the adapter of a network. It opens no connection before its first use; close it when done. */
export function createAdapter(network: Network): ChainAdapter {
  return byFamily(network, {
    utxo: createUtxoAdapter,
    evm: createEvmAdapter,
  })
}
