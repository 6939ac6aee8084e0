/** EIP-1559 fees for a priority, from what recent blocks paid. */

import type { Priority } from '../../../domain/payouts/priority.js'
import { PRIORITY_PERCENT } from '../../adapter.js'
import { least } from './least.js'

export interface Fees {
  readonly maxFeePerGas: bigint
  readonly maxPriorityFeePerGas: bigint
}

/** Answer of `eth_feeHistory`, in wei. */
export interface FeeMarket {
  /** Of the next block. */
  readonly baseFee: bigint
  /** Tips of recent blocks at the percentile of each priority, blocks without transactions left out. */
  readonly tips: Readonly<Record<Priority, readonly bigint[]>>
  /** The node's own suggestion, used when recent blocks were empty. */
  readonly suggestedTip: bigint
}

/** At which percentile of a block's tips each priority looks. */
export const PRIORITY_PERCENTILE: Readonly<Record<Priority, number>> = {
  low: 40,
  normal: 50,
  high: 60,
  urgent: 75,
}

/** Bounds of a network, in wei. */
export interface FeeBounds extends Fees {
  /** The least tip that its nodes take. */
  readonly minPriorityFeePerGas: bigint
}

/** Where nothing says what a tip should be (no fees at all in recent blocks): 1 gwei, the usual minimum of a node's pool. */
const TIP_WITHOUT_MARKET = 1_000_000_000n

/** Six full blocks in a row double the base fee: a transaction stays includable at least that long. */
const BASE_FEE_HEADROOM = 2n
const PRIORITIES = Object.keys(PRIORITY_PERCENTILE) as readonly Priority[]

/**
 * Chooses fees: base fee × 2 + tip, where the tip is the median over recent blocks, times the priority's multiplier. Where those
 * paid none it is what the node suggests, and never below the network's minimum. Both stay inside the caps.
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

/** On a chain without any fee, where base fee, tips and suggestion are nothing, a node still refuses a price of nothing. */
function leastTip(market: FeeMarket, { minPriorityFeePerGas }: FeeBounds): bigint {
  const paid = PRIORITIES.some((priority) => (median(market.tips[priority]) ?? 0n) > 0n)
  return paid || market.baseFee > 0n || market.suggestedTip > 1n
    ? minPriorityFeePerGas
    : greatest(minPriorityFeePerGas, TIP_WITHOUT_MARKET)
}

/** The least that `maxFeePerGas` may be for the next block, at each base fee that it may have (it grows by an eighth at most). */
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
