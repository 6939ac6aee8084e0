/** Reads transactions that are new in the mempool. */

import { z } from 'zod'
import type { UtxoNetwork } from '../../../domain/chain/network.js'
import type { MempoolLook, Spend, Transfer } from '../../adapter.js'
import { addMovements } from '../parse/movements-of-transaction.js'
import { parseTransaction } from '../parse/parse-transaction.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { NODE_CODE, NodeError } from '../rpc/node-error.js'

/** Transactions of one HTTP request. */
const BATCH = 200

/**
 * Polls the mempool and fetches transactions that are not in `seen`. One that left it between the two
 * requests is not reported.
 */
export async function readMempool(
  rpc: Rpc,
  network: UtxoNetwork,
  seen: ReadonlySet<string>,
): Promise<MempoolLook> {
  const txids = new Set(await rpc.call('getrawmempool', [], z.array(z.string())))
  const fresh = [...txids].filter((txid) => !seen.has(txid))
  const transfers: Transfer[] = []
  const spends: Spend[] = []
  for (let i = 0; i < fresh.length; i += BATCH) {
    const chunk = fresh.slice(i, i + BATCH)
    const answers = await rpc.batch(
      'getrawtransaction',
      chunk.map((txid) => [txid, 0]),
      z.string(),
    )
    for (const [index, answer] of answers.entries()) {
      if (answer instanceof NodeError) {
        if (answer.nodeCode !== NODE_CODE.invalidAddressOrKey) throw answer
        txids.delete(chunk[index] ?? '')
        continue
      }
      const transaction = parseTransaction(Buffer.from(answer, 'hex'))
      // A pure MWEB transaction has an id of another kind, and neither inputs nor outputs that the adapter
      // could know.
      if (transaction.txid === chunk[index]) addMovements(transaction, network, transfers, spends)
    }
  }
  return { txids, transfers, spends }
}
