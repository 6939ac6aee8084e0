/** Finds whether a transaction is mined, in the mempool or unknown. */

import { z } from 'zod'
import type { TransactionOutcome } from '../../adapter.js'
import { isCoinbase } from '../parse/movements-of-transaction.js'
import { parseTransaction } from '../parse/parse-transaction.js'
import type { AskNode, Rpc } from '../rpc/create-rpc.js'
import { NODE_CODE, NodeError } from '../rpc/node-error.js'
import { fetchPrevouts, sumAmounts } from './fetch-prevouts.js'
import { isTransactionUnknown, type TransactionSource } from './transaction-source.js'

const found = z.object({ hex: z.string(), blockhash: z.string().optional() })
const header = z.object({ height: z.int(), confirmations: z.int() })

/** Returns the outcome of a transaction. One that is in an abandoned block only is `unknown`. */
export async function findOutcome(
  txid: string,
  rpc: Rpc,
  source: TransactionSource,
): Promise<TransactionOutcome> {
  try {
    const { hex, blockhash } = await rpc.call('getrawtransaction', [txid, 1], found)
    if (!blockhash) return { kind: 'mempool' }
    const { height, confirmations } = await rpc.call('getblockheader', [blockhash, true], header)
    if (confirmations < 1) return { kind: 'unknown' }
    const transaction = parseTransaction(Buffer.from(hex, 'hex'))
    const fee = isCoinbase(transaction)
      ? 0n
      : sumAmounts(await fetchPrevouts(transaction, source)) - sumAmounts(transaction.outputs)
    return { kind: 'mined', block: { height, hash: blockhash }, confirmations, fee, succeeded: true }
  } catch (error) {
    if (error instanceof NodeError && isTransactionUnknown(error, rpc.network)) return { kind: 'unknown' }
    throw error
  }
}

/** Returns the hash of the canonical block at a height. `null` above the tip. */
export async function findHashAt(height: number, rpc: { readonly call: AskNode }): Promise<string | null> {
  try {
    return await rpc.call('getblockhash', [height], z.string())
  } catch (error) {
    if (!(error instanceof NodeError)) throw error
    const isAboveTip =
      error.nodeCode === NODE_CODE.invalidParameter ||
      (error.nodeCode === NODE_CODE.misc && /out of range/i.test(error.nodeMessage))
    if (isAboveTip) return null
    throw error
  }
}

/**
 * Returns the Unix seconds of the canonical block at a height. `null` above the tip. Pruned nodes keep all
 * headers.
 */
export async function findTimeAt(height: number, rpc: { readonly call: AskNode }): Promise<number | null> {
  const hash = await findHashAt(height, rpc)
  if (hash === null) return null
  return (await rpc.call('getblockheader', [hash, true], z.object({ time: z.int() }))).time
}
