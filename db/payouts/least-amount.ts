/** The smallest amount that can be paid: nodes do not relay less, or the configuration calls less dust. */

import { byFamily } from '../../domain/chain/by-family.js'
import type { Coin, Network } from '../../domain/chain/network.js'

/**
 * Bytes of a P2PKH output and of the input that spends it, the costliest of the common address types: 546 at
 * Bitcoin's dust rate of 3.
 */
const DUST_BYTES = 182
const DEFAULT_DUST_RATE = 3

/** Returns the amount in base units, at least 1. */
export function leastAmount(network: Network, coin: Coin): bigint {
  const relayed: bigint = byFamily(network, {
    utxo: ({ fees }) => BigInt(Math.ceil(DUST_BYTES * (fees.dustRate ?? DEFAULT_DUST_RATE))),
    evm: () => 0n,
  })
  const dust = coin.dust < relayed ? relayed : coin.dust
  return dust > 0n ? dust : 1n
}
