/** Chooses EIP-1559 fees for a priority, from what recent blocks paid. */

import type { Priority } from '../../../domain/payouts/priority.js'
import { PRIORITY_PERCENT } from '../../adapter.js'
import { least } from './least.js'

export interface Fees {
  readonly maxFeePerGas: bigint
  readonly maxPriorityFeePerGas: bigint
}

/** Answer of `eth_feeHistory`, in wei. */
export interface FeeMarket {
  /** Base fee of the next block. */
  readonly baseFee: bigint
  /** Tips of recent blocks at the percentile of each priority. Blocks without transactions are left out. */
  readonly tips: Readonly<Record<Priority, readonly bigint[]>>
  /** Node's own suggestion, used if recent blocks were empty. */
  readonly suggestedTip: bigint
}

/** Percentile of a block's tips for each priority. */
export const PRIORITY_PERCENTILE: Readonly<Record<Priority, number>> = {
  low: 40,
  normal: 50,
  high: 60,
  urgent: 75,
}

/** Bounds of a network, in wei. */
export interface FeeBounds extends Fees {
  /** Least tip that its nodes accept. */
  readonly minPriorityFeePerGas: bigint
}

/** Tip without any market (no fees at all in recent blocks): 1 gwei, the usual minimum of a node's pool. */
const TIP_WITHOUT_MARKET = 1_000_000_000n

/**
 * Factor on the base fee. Six full blocks in a row double it, and a transaction stays includable at least
 * that long.
 */
const BASE_FEE_HEADROOM = 2n
const PRIORITIES = Object.keys(PRIORITY_PERCENTILE) as readonly Priority[]

/**
 * Chooses fees: base fee × 2 + tip, where the tip is the median over recent blocks, times the priority's
 * multiplier. If those paid none, it is the node's suggestion, and never below the network's minimum. Both
 * stay inside the caps.
 */
export function chooseFees(market: FeeMarket, priority: Priority, bounds: FeeBounds): Fees {
  const usual = median(market.tips[priority]) || market.suggestedTip
  const wanted = (usual * PRIORITY_PERCENT[priority] + 50n) / 100n
  const tip = greatest(wanted, leastTip(market, bounds))
  const maxFeePerGas = least(
    market.baseFee * BASE_FEE_HEADROOM + least(tip, bounds.maxPriorityFeePerGas),
    bounds.maxFeePerGas,
  )
  return { maxFeePerGas, maxPriorityFeePerGas: least(tip, bounds.maxPriorityFeePerGas, maxFeePerGas) }
}

/**
 * Returns the least tip. On a chain without any fee (base fee, tips and suggestion are 0), a node still
 * refuses a price of 0.
 */
function leastTip(market: FeeMarket, { minPriorityFeePerGas }: FeeBounds): bigint {
  const paid = PRIORITIES.some((priority) => (median(market.tips[priority]) ?? 0n) > 0n)
  return paid || market.baseFee > 0n || market.suggestedTip > 1n
    ? minPriorityFeePerGas
    : greatest(minPriorityFeePerGas, TIP_WITHOUT_MARKET)
}

/**
 * Returns the least `maxFeePerGas` for the next block, at each base fee that it may have (it grows by an
 * eighth at most).
 */
export function leastMaxFee(market: FeeMarket, fees: Fees): bigint {
  return (market.baseFee * 9n + 7n) / 8n + fees.maxPriorityFeePerGas
}

function median(values: readonly bigint[]): bigint | null {
  const sorted = [...values].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  return sorted[Math.floor(sorted.length / 2)] ?? null
}

function greatest(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
