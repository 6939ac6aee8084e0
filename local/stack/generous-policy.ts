/** Writes the signer's policy for test chains, whose coins are worth nothing. */

import { formatAmount, parseAmount } from '../../domain/money.js'
import type { PolicyFile } from '../../signer/policy/policy.js'

const MOVEMENTS = 20n
const CANCELS = 10n

/**
 * Lifts every limit of payouts, and gives movements and cancellations budgets that long tests do not use up.
 */
export function generousPolicy(file: PolicyFile): PolicyFile {
  const policy = structuredClone(file)
  for (const network of Object.values(policy.networks)) {
    const native = Object.values(network.assets).find((each) => each.contract === null)
    const times = (many: bigint) => {
      const decimals = native?.decimals ?? 0
      return formatAmount(parseAmount(network.max_fee, decimals) * many, decimals)
    }
    for (const asset of Object.values(network.assets))
      Object.assign(asset, { per_transaction: null, daily: null })
    if (network.cancel) network.cancel.daily_fees = times(CANCELS)
    if (!network.movements) continue
    network.movements.daily_fee = times(MOVEMENTS)
    if (network.family === 'evm') {
      network.movements.gas_funding = { per_transaction: network.max_fee, daily: times(MOVEMENTS) }
    }
  }
  return policy
}
