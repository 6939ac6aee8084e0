/**
 * Splits a batch into transactions: one item each on EVM networks, as many outputs as fit on UTXO networks.
 */

import { byFamily } from '../chain/by-family.js'
import type { Network, UtxoNetwork } from '../chain/network.js'

/** Item of a batch that is to be split. */
export interface BatchItem {
  readonly index: number
  readonly address: string
  /** Amount in base units. */
  readonly amount: bigint
}

/**
 * Largest weight that nodes relay (Bitcoin Core, MAX_STANDARD_TX_WEIGHT). Without SegWit it is 100,000 bytes.
 */
const MOST_WEIGHT = 400_000
/**
 * Weight reserved for the inputs: at most 250, of 272 each (P2WPKH) or 592 (P2PKH), with frame and change.
 */
const RESERVED_WEIGHT: Readonly<Record<UtxoNetwork['script'], number>> = { p2wpkh: 70_000, p2pkh: 150_000 }
/** Weight of the largest output: value, length and the 34-byte script of P2WSH or P2TR. */
const OUTPUT_WEIGHT = 4 * (8 + 1 + 34)

/**
 * Splits items in their order.
 *
 * @param mostOutputs - Most outputs of one UTXO transaction. The limit of its size may be lower.
 */
export function splitBatch<Item extends BatchItem>(
  network: Network,
  items: readonly Item[],
  mostOutputs: number,
): Item[][] {
  const size = byFamily(network, {
    utxo: (utxo) => Math.min(mostOutputs, outputsThatFit(utxo)),
    evm: () => 1,
  })
  const parts: Item[][] = []
  for (let at = 0; at < items.length; at += size) parts.push(items.slice(at, at + size))
  return parts
}

/** Returns how many outputs fit into a transaction that has the largest number of inputs. */
export function outputsThatFit(network: Pick<UtxoNetwork, 'script'>): number {
  return Math.floor((MOST_WEIGHT - RESERVED_WEIGHT[network.script]) / OUTPUT_WEIGHT)
}
