/** Into which transactions a batch is split: one item each on EVM networks, as many outputs as fit on UTXO networks. */

import { byFamily } from '../chain/by-family.js'
import type { Network, UtxoNetwork } from '../chain/network.js'

/** One item of a batch that is to be split. */
export interface BatchItem {
  readonly index: number
  readonly address: string
  /** Base units. */
  readonly amount: bigint
}

/** Heavier transactions are not relayed (Bitcoin Core, MAX_STANDARD_TX_WEIGHT); without SegWit 100,000 bytes. */
const MOST_WEIGHT = 400_000
/** What the coins that pay may weigh: 250 inputs at most, 272 each (P2WPKH) or 592 (P2PKH); frame and change besides. */
const RESERVED_WEIGHT: Readonly<Record<UtxoNetwork['script'], number>> = { p2wpkh: 70_000, p2pkh: 150_000 }
/** The largest output of an address: value, length and the 34-byte script of P2WSH or P2TR. */
const OUTPUT_WEIGHT = 4 * (8 + 1 + 34)

/**
 * Splits items in their order.
 *
 * @param mostOutputs - Of one UTXO transaction, where the size limit does not come first.
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

/** How many outputs a transaction holds beside as many inputs as one may have. */
export function outputsThatFit(network: Pick<UtxoNetwork, 'script'>): number {
  return Math.floor((MOST_WEIGHT - RESERVED_WEIGHT[network.script]) / OUTPUT_WEIGHT)
}
