/** Starts a Litecoin node on regtest that belongs to one test file. */

import { LITECOIN_REGTEST, startLitecoin } from '../../local/parts/litecoin.js'
import { testUtxoNode } from './utxo-node.js'

/** Starts a node and matures `mature` coinbases of 50 LTC for the faucet. */
export function testLitecoind(options: { readonly mature?: number; readonly mweb?: boolean } = {}) {
  const { mweb = false, ...rest } = options
  return testUtxoNode('litecoind', (parts) => startLitecoin({ ...parts, mweb }, console.log), {
    ...rest,
    network: LITECOIN_REGTEST,
  })
}

export type TestLitecoin = Awaited<ReturnType<typeof testLitecoind>>
