/** What the scanner looks for, taken from the network's configuration. */

import { type EvmNetwork, nativeCoin } from '../../../domain/chain/network.js'

export interface ScanRules {
  readonly nativeCoin: string
  /** Coin name by lower-case contract address. */
  readonly tokens: ReadonlyMap<string, string>
  /** Lower-case addresses in whose name the chain itself acts. */
  readonly systemSenders: ReadonlySet<string>
}

/** The rules of a network. */
export function scanRules(network: EvmNetwork): ScanRules {
  const tokens = new Map<string, string>()
  for (const coin of network.coins) {
    if (coin.contract !== null) tokens.set(coin.contract.toLowerCase(), coin.name)
  }
  return { nativeCoin: nativeCoin(network).name, tokens, systemSenders: new Set(network.systemSenders ?? []) }
}
