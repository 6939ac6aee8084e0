/** Estimates a payout's network fee, and computes the highest fee that its intent allows. */

import { byFamily, type Family } from '../chain/by-family.js'
import type { Coin, EvmNetwork, Network, UtxoNetwork } from '../chain/network.js'
import type { BaseUnits } from '../money.js'
import type { Priority } from './priority.js'

/** Multiplier in percent, minutes until confirmed (from, to) and description of each priority. */
export const PRIORITY_LEVEL: Readonly<
  Record<
    Priority,
    { readonly percent: bigint; readonly minutes: readonly [number, number]; readonly description: string }
  >
> = {
  low: { percent: 80n, minutes: [30, 60], description: 'Economy rate' },
  normal: { percent: 100n, minutes: [10, 30], description: 'Standard rate' },
  high: { percent: 150n, minutes: [5, 15], description: 'Fast rate' },
  urgent: { percent: 200n, minutes: [1, 10], description: 'Priority rate' },
}

/** Market prices of a priority, as the chain watcher keeps them in `network_fees`. */
export type FeePrice =
  | {
      readonly family: 'evm'
      readonly maxFeePerGas: bigint
      readonly maxPriorityFeePerGas: bigint
      /** Fee for the parent chain, in wei (OP-Stack). */
      readonly l1Fee?: bigint
    }
  /** Rate in sat/vB. */
  | { readonly family: 'utxo'; readonly rate: number }

/**
 * Typical gas. The node estimates the real transaction when it is built. A first transfer of USDT costs about
 * 63,000.
 */
const TYPICAL_GAS = { native: 21_000n, token: 65_000n } as const
/** Virtual bytes of a P2WPKH transaction: 10.5, 68 an input, 31 an output (BIP-141). P2PKH: 10, 148, 34. */
const VSIZE = {
  p2wpkh: { base: 11, input: 68, output: 31 },
  p2pkh: { base: 10, input: 148, output: 34 },
} as const
/**
 * Factor by which fees may rise between request and signature (approvals take hours) before the payout has to
 * wait.
 */
const LIMIT_MULTIPLE = 5n
/**
 * Divisor of the network's cap for the least limit, so that a quiet chain gives no limit that the next busy
 * block exceeds.
 */
const LIMIT_FLOOR_DIVISOR = 100n

/**
 * Returns the expected fee in base units of the network's own coin.
 *
 * @param inputs - Number of outputs that are likely to be spent (UTXO).
 * @param outputs - Number of recipients that one transaction pays (UTXO).
 */
export function estimateFee(
  network: Network,
  coin: Coin,
  price: FeePrice,
  inputs: number,
  outputs = 1,
): BaseUnits {
  const fee = byFamily(network, {
    utxo: (utxo) => estimateUtxo(utxo, priceOf('utxo', price).rate, inputs, outputs),
    evm: () => estimateEvm(coin, priceOf('evm', price)),
  })
  return within(fee, 0n, network.fees.maxTotal)
}

/**
 * Returns the highest fee of an intent: five times the estimate, at least a hundredth of the network's cap
 * for one transaction, and never above that cap. The signer's own policy has its own cap.
 */
export function feeLimit(network: Network, estimate: BaseUnits): BaseUnits {
  const cap = network.fees.maxTotal
  return within(estimate * LIMIT_MULTIPLE, cap / LIMIT_FLOOR_DIVISOR, cap)
}

/**
 * Returns the price to use while no market price is known: the network's caps (EVM), or its fallback rate
 * (UTXO).
 */
export function fallbackPrice(network: Network, priority: Priority): FeePrice {
  const { percent } = PRIORITY_LEVEL[priority]
  return byFamily(network, {
    utxo: (utxo): FeePrice => ({ family: 'utxo', rate: utxoRate(utxo, percent) }),
    evm: evmCaps,
  })
}

/** Returns the price as one of the family. @throws Error when it is a price of another family. */
export function priceOf<Name extends Family>(
  family: Name,
  price: FeePrice,
): Extract<FeePrice, { family: Name }> {
  if (price.family !== family) throw new Error(`A price of family ${price.family} is none of ${family}`)
  return price as Extract<FeePrice, { family: Name }>
}

function estimateEvm(coin: Coin, price: Extract<FeePrice, { family: 'evm' }>): bigint {
  // maxFeePerGas is twice the base fee and the tip; a transaction pays the base fee and the tip.
  const tip = price.maxPriorityFeePerGas
  const base = price.maxFeePerGas > tip ? (price.maxFeePerGas - tip + 1n) / 2n : 0n
  return (
    (coin.contract === null ? TYPICAL_GAS.native : TYPICAL_GAS.token) * (base + tip) + (price.l1Fee ?? 0n)
  )
}

function estimateUtxo(network: UtxoNetwork, rate: number, inputs: number, outputs: number): bigint {
  const size = VSIZE[network.script]
  // One more output for the change.
  return BigInt(
    Math.ceil((size.base + size.input * Math.max(1, inputs) + size.output * (outputs + 1)) * rate),
  )
}

function evmCaps(network: EvmNetwork): FeePrice {
  return {
    family: 'evm',
    maxFeePerGas: network.fees.maxFeePerGas,
    maxPriorityFeePerGas: network.fees.maxPriorityFeePerGas,
  }
}

function utxoRate(network: UtxoNetwork, percent: bigint): number {
  const rate = (network.fees.fallbackRate * Number(percent)) / 100
  return Math.min(network.fees.maxRate, Math.max(network.fees.minRate, rate))
}

function within(value: bigint, least: bigint, most: bigint): bigint {
  if (value < least) return least
  return value < most ? value : most
}
