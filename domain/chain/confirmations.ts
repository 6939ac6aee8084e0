/**
 * Computes the confirmations that an amount needs: the network's own, and those that the merchant's policy
 * adds.
 */

import { wholeUnits } from '../controls/limits.js'
import type { PolicyTier } from '../controls/policy.js'
import { knownCoin, type Network, requiredConfirmations } from './network.js'

/**
 * Returns the highest of the network's number and of each matching tier of the policy. A policy never lowers
 * it.
 */
export function confirmationsUnder(
  tiers: readonly PolicyTier[],
  network: Network,
  coin: string,
  amount: bigint,
): number {
  const { decimals } = knownCoin(network, coin)
  const matching = tiers.filter(
    (tier) =>
      tier.network === network.name && tier.coin === coin && wholeUnits(tier.from, decimals) <= amount,
  )
  return Math.max(requiredConfirmations(network, coin, amount), ...matching.map((tier) => tier.confirmations))
}
