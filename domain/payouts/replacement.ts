/** Computes the fee with which one own transaction replaces another that is not mined yet. */

import type { BaseUnits } from '../money.js'

/** Prices of an EIP-1559 transaction, in wei per gas. */
export interface GasPrices {
  readonly maxFeePerGas: bigint
  readonly maxPriorityFeePerGas: bigint
}

/** Market: the base fee of the next block, and the usual offer of a transaction at a priority. */
export interface GasMarket extends GasPrices {
  readonly baseFee: bigint
}

/**
 * Raises a price by an eighth. Nodes ask for 10 % more of both prices before they replace (geth's
 * `PriceBump`).
 */
export function raised(price: bigint): bigint {
  return (price * 9n + 7n) / 8n
}

/**
 * Returns the least prices at which a transaction with the same nonce replaces `before`: both at least an
 * eighth up, and high enough for the next block, whose base fee grows by an eighth at most.
 *
 * @param before - Prices to beat. `null` if there is nothing to replace, as in a nonce gap.
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

/** Prices of a replacement under a limit, or the cost of the least of them if that is above the limit. */
export type Repricing =
  | { readonly kind: 'priced'; readonly prices: GasPrices }
  | { readonly kind: 'too_high'; readonly required: BaseUnits }

/**
 * Chooses the prices of a replacement: what the market usually offers, at least `leastReplacement`, and at
 * most what the limit leaves for each unit of gas.
 *
 * @param limit - Highest gas × maxFeePerGas, in wei.
 * @param caps - Highest value of both prices. `null` if only the limit counts.
 */
export function repriceGas(
  before: GasPrices | null,
  market: GasMarket,
  gas: bigint,
  limit: bigint,
  caps: GasPrices | null,
): Repricing {
  // The cap holds for the market's prices only: nodes refuse a replacement whose tip is less than an eighth
  // up.
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
 * Returns the least fee of a replacement on a UTXO network. By BIP-125, rules 3 and 4, it is at least the
 * replaced fee and the relay rate for its own size. It is also at least the price of its size at the wanted
 * rate.
 *
 * @param vsize - Virtual bytes of the replacement.
 * @param rate - sat/vB at the wanted priority.
 * @param relayRate - sat/vB that nodes ask on top of the replaced fee.
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
