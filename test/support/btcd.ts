/** Starts a Bitcoin node on regtest that belongs to one test file. */

import { type Bitcoin, startBitcoin } from '../../local/parts/bitcoin.js'
import { type Funded, testUtxoNode } from './utxo-node.js'

export type TestBitcoin = Bitcoin & Funded

/** Starts a node and matures `mature` coinbases of 50 BTC for the faucet. */
export function testBtcd(options: { readonly mature?: number } = {}): Promise<TestBitcoin> {
  return testUtxoNode('btcd', (parts) => startBitcoin(parts, console.log), options)
}
