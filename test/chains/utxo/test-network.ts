/** Makes networks of the Bitcoin family for tests. */

import { readFileSync } from 'node:fs'
import { findNetwork, type UtxoNetwork } from '../../../domain/chain/network.js'
import { DEFAULT_NETWORKS_FILE, parseNetworks } from '../../../networks/load-networks.js'

/** `bitcoin` as the product configures it, on a chain of our choice and with a node of the test's own. */
export function testNetwork(
  rpcUrls = 'http://127.0.0.1:1',
  chain: 'main' | 'test' | 'regtest' = 'regtest',
): UtxoNetwork {
  const networks = parseNetworks(readFileSync(DEFAULT_NETWORKS_FILE, 'utf8'), {
    BITCOIN_CHAIN: chain,
    BITCOIN_RPC_URLS: rpcUrls,
  })
  const network = findNetwork(networks, 'bitcoin')
  if (network.family !== 'utxo') throw new Error('bitcoin is of the UTXO family')
  return network
}

/** A network of the same family without SegWit, as a coin that only knows P2PKH would be configured. */
export function legacyNetwork(rpcUrls?: string): UtxoNetwork {
  const network = testNetwork(rpcUrls)
  return { ...network, script: 'p2pkh', address: { ...network.address, bech32: null } }
}
