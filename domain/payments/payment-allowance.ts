/** Computes by how many base units the amount of a payment may be missed. */

import { wholeUnits } from '../controls/limits.js'
import type { Policy } from '../controls/policy.js'
import { formatAmount, parseAmount } from '../money.js'

/** Tolerance as a merchant sends it. Decimal strings. */
export interface Tolerance {
  /** Percent of the amount, at least 0 and below 100. */
  readonly percent?: string | undefined
  /** Whole coins. */
  readonly absolute?: string | undefined
}

/** Returns the tolerance of a merchant's policy for a coin, rounded down to what the coin can express. */
export function toleranceFor(
  policy: Policy['payments'],
  asset: { readonly network: string; readonly coin: string; readonly decimals: number },
): Tolerance {
  const absolute = policy.tolerance_absolute.find(
    ({ network, coin }) => network === asset.network && coin === asset.coin,
  )
  if (!absolute) return { percent: policy.tolerance_percent }
  const units = wholeUnits(absolute.amount, asset.decimals)
  return { percent: policy.tolerance_percent, absolute: formatAmount(units, asset.decimals) }
}

/** Returns the tolerance of a payment: each field as it was sent, or else as the policy has it. */
export function tolerancesOf(sent: Tolerance | null, policy: Tolerance): Tolerance {
  return {
    percent: sent?.percent ?? policy.percent,
    absolute: sent?.absolute ?? policy.absolute,
  }
}

/** Decimal places that a percentage may have. */
export const PERCENT_DECIMALS = 36

/**
 * Returns the allowance in base units: the greater one of percent and absolute. The percentage is rounded
 * down, which compares exactly, because sums are whole base units.
 *
 * @param amount - Base units.
 * @param decimals - Decimal places of the coin.
 * @throws KeyturnError `INVALID_AMOUNT` if a number is malformed or too precise.
 */
export function paymentAllowance(amount: bigint, decimals: number, tolerance: Tolerance | null): bigint {
  const percent = parseAmount(tolerance?.percent ?? '0', PERCENT_DECIMALS)
  const relative = (amount * percent) / (100n * 10n ** BigInt(PERCENT_DECIMALS))
  const absolute = parseAmount(tolerance?.absolute ?? '0', decimals)
  return relative > absolute ? relative : absolute
}
