/** Confirmations that a movement needs: the network's own, and what the merchant's policy adds. */

import { wholeUnits } from '../controls/limits.js'
import type { PolicyTier } from '../controls/policy.js'
import { knownCoin, type Network, requiredConfirmations } from './network.js'

/** The highest of the network's number and of every tier of the policy that matches; a policy never lowers it. */
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
