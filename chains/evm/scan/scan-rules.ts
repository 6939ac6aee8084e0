/** Takes from the network's configuration what the scanner needs. */

import { type EvmNetwork, nativeCoin } from '../../../domain/chain/network.js'

export interface ScanRules {
  readonly nativeCoin: string
  /** Coin names by lower-case contract address. */
  readonly tokens: ReadonlyMap<string, string>
  /** Lower-case addresses of the chain's own transactions. */
  readonly systemSenders: ReadonlySet<string>
}

/** Returns the rules of a network. */
export function scanRules(network: EvmNetwork): ScanRules {
  const tokens = new Map<string, string>()
  for (const coin of network.coins) {
    if (coin.contract !== null) tokens.set(coin.contract.toLowerCase(), coin.name)
  }
  return { nativeCoin: nativeCoin(network).name, tokens, systemSenders: new Set(network.systemSenders ?? []) }
}
