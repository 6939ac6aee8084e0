/** EIP-1559 fees for a priority, from what recent blocks paid. */

import { PRIORITY_PERCENT, type Priority } from '../../adapter.js'
import { least } from './least.js'

export interface Fees {
  readonly maxFeePerGas: bigint
  readonly maxPriorityFeePerGas: bigint
}

/** What `eth_feeHistory` told, in wei. */
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

/** Six full blocks in a row double the base fee: a transaction stays includable at least that long. */
const BASE_FEE_HEADROOM = 2n

/**
 * Chooses fees: base fee × 2 + tip, where the tip is the median over recent blocks, times the priority's multiplier. Both stay
 * inside the caps; a tip of 0 would be refused by many nodes, so it is at least 1 wei.
 */
export function chooseFees(market: FeeMarket, priority: Priority, caps: Fees): Fees {
  const usual = median(market.tips[priority]) ?? market.suggestedTip
  const tip = (usual * PRIORITY_PERCENT[priority] + 50n) / 100n || 1n
  const maxFeePerGas = least(
    market.baseFee * BASE_FEE_HEADROOM + least(tip, caps.maxPriorityFeePerGas),
    caps.maxFeePerGas,
  )
  return { maxFeePerGas, maxPriorityFeePerGas: least(tip, caps.maxPriorityFeePerGas, maxFeePerGas) }
}

/** The least that `maxFeePerGas` may be for the next block, whatever that block's base fee (it grows by an eighth at most). */
export function leastMaxFee(market: FeeMarket, fees: Fees): bigint {
  return (market.baseFee * 9n + 7n) / 8n + fees.maxPriorityFeePerGas
}

function median(values: readonly bigint[]): bigint | null {
  const sorted = [...values].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  return sorted[Math.floor(sorted.length / 2)] ?? null
}
