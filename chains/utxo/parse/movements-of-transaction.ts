/** Lists what a parsed transaction spends and pays. */

import { nativeCoin, type UtxoNetwork } from '../../../domain/chain/network.js'
import type { Spend, Transfer } from '../../adapter.js'
import type { ParsedTransaction } from './parse-transaction.js'
import { payeeOfScript } from './payee-of-script.js'

const NO_TXID = '0'.repeat(64)

/** Returns whether a transaction makes new coins: its one input points nowhere. */
export function isCoinbase(transaction: ParsedTransaction): boolean {
  return transaction.inputs[0]?.prevTxid === NO_TXID
}

/**
 * Adds to the given lists what a transaction pays to possible own addresses, and what it spends. Its cost
 * does not depend on the number of watched addresses, which it does not know.
 */
export function addMovements(
  transaction: ParsedTransaction,
  network: UtxoNetwork,
  transfers: Transfer[],
  spends: Spend[],
): void {
  const { txid } = transaction
  const coin = nativeCoin(network).name
  const coinbase = isCoinbase(transaction)
  for (const [index, output] of transaction.outputs.entries()) {
    const payee = payeeOfScript(output.script, network.script)
    if (payee === null || output.amount === 0n) continue
    const transfer = { txid, index, payee, coin, amount: output.amount }
    transfers.push(coinbase ? { ...transfer, coinbase } : transfer)
  }
  if (coinbase) return
  for (const { prevTxid, prevVout } of transaction.inputs) spends.push({ txid, prevTxid, prevVout })
}
