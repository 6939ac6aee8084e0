/** What it costs to put another transaction of ours in the place of one that is not mined yet. */

import type { BaseUnits } from '../money.js'

/** Wei per gas of an EIP-1559 transaction. */
export interface GasPrices {
  readonly maxFeePerGas: bigint
  readonly maxPriorityFeePerGas: bigint
}

/** A market with the base fee of the next block, and what a transaction at a priority usually offers in it. */
export interface GasMarket extends GasPrices {
  readonly baseFee: bigint
}

/** Nodes ask for 10 % more of both prices before they replace (geth's `PriceBump`); an eighth leaves no doubt. */
export function raised(price: bigint): bigint {
  return (price * 9n + 7n) / 8n
}

/**
 * The least prices at which a transaction with the same nonce takes the place of `before`: both at least an eighth up, and
 * includable in the next block, whose base fee grows by an eighth at most.
 *
 * @param before - Null where nothing is to be replaced, as in a nonce gap.
 */
export function leastReplacement(before: GasPrices | null, market: GasMarket): GasPrices {
  const tip = before
    ? atLeast(raised(before.maxPriorityFeePerGas), market.maxPriorityFeePerGas)
    : market.maxPriorityFeePerGas
  const includable = raised(market.baseFee) + tip
  return {
    maxFeePerGas: before ? atLeast(raised(before.maxFeePerGas), includable) : includable,
    maxPriorityFeePerGas: tip,
  }
}

/** The prices of a replacement under a limit, or what the least of them would cost where that is more. */
export type Repricing =
  | { readonly kind: 'priced'; readonly prices: GasPrices }
  | { readonly kind: 'too_high'; readonly required: BaseUnits }

/**
 * Chooses the prices of a replacement: what the market usually asks, never less than `leastReplacement`, and no more than the
 * limit leaves for each unit of gas.
 *
 * @param limit - The most that gas × maxFeePerGas may be, in wei.
 * @param caps - Of both prices; null where only the limit counts.
 */
export function repriceGas(
  before: GasPrices | null,
  market: GasMarket,
  gas: bigint,
  limit: bigint,
  caps: GasPrices | null,
): Repricing {
  // The cap holds for what the market asks; nodes refuse a replacement whose tip is not an eighth up.
  const tip = atMost(market.maxPriorityFeePerGas, caps?.maxPriorityFeePerGas)
  const least = leastReplacement(before, { ...market, maxPriorityFeePerGas: tip })
  const affordable = atMost(limit / gas, caps?.maxFeePerGas)
  if (least.maxFeePerGas > affordable) return { kind: 'too_high', required: gas * least.maxFeePerGas }
  return {
    kind: 'priced',
    prices: {
      maxFeePerGas: atLeast(least.maxFeePerGas, atMost(market.maxFeePerGas, affordable)),
      maxPriorityFeePerGas: least.maxPriorityFeePerGas,
    },
  }
}

/**
 * The least fee of a replacement on a UTXO network (BIP-125, rules 3 and 4): what is replaced, and the relay rate for its own
 * size; and what its size costs at the rate that the network asks.
 *
 * @param vsize - Of the replacement, in virtual bytes.
 * @param rate - sat/vB at the wanted priority.
 * @param relayRate - sat/vB that nodes ask on top of what is replaced.
 */
export function leastUtxoReplacement(
  before: bigint,
  vsize: number,
  rate: number,
  relayRate: number,
): BaseUnits {
  const relay = before + BigInt(Math.ceil(vsize * relayRate))
  return atLeast(relay, BigInt(Math.ceil(vsize * rate)))
}

function atLeast(value: bigint, floor: bigint): bigint {
  return value < floor ? floor : value
}

function atMost(value: bigint, cap: bigint | undefined): bigint {
  return cap !== undefined && value > cap ? cap : value
}
