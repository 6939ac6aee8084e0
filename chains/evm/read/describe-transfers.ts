/** Finds the payers of transfers and the costs of their transactions. */

import { getAddress } from 'viem'
import type { Spend, Transfer, TransferDetails } from '../../adapter.js'
import { toBytes, toInteger, toRecord } from '../quantity.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { expectResult } from '../rpc/expect-result.js'

/** Calls of one batch: providers cap a batch at about 100. */
const BATCH = 100

/**
 * Describes each transfer by its own payer and payee (a transaction may hold others), and by the fee once it
 * is mined. The amount that the sender of a native transfer gave then includes the fee. Payers and fees were
 * read with the block; each transaction is requested once, for its nonce. If the node no longer knows it, its
 * nonce is left out rather than guessed.
 */
export async function describeTransfers(
  rpc: Rpc,
  transfers: readonly Transfer[],
): Promise<TransferDetails[]> {
  const spends = await readSpends(rpc, [...new Set(transfers.map((transfer) => transfer.txid))])
  return transfers.map(({ txid, index, payee, amount, origin }) => {
    const spend = spends.get(txid)
    // A pending native transfer is paid by the sender himself.
    const payer = origin?.payer ?? (index === 0 ? spend?.prevTxid : undefined)
    const fee = origin?.fee ?? null
    // The sender of the native coin pays the fee in it too, as the inputs of a UTXO transaction do. Tokens
    // and calls leave it out.
    const spent = index === 0 && fee !== null ? amount + fee : amount
    return {
      sources: payer === undefined ? [] : [{ address: getAddress(payer), amount: spent }],
      destinations: [{ address: getAddress(`0x${payee}`), amount }],
      fee,
      spends: spend ? [spend] : [],
    }
  })
}

/** Returns sender and nonce of each transaction that a node knows. */
async function readSpends(rpc: Rpc, txids: readonly string[]): Promise<ReadonlyMap<string, Spend>> {
  const chunks = Array.from({ length: Math.ceil(txids.length / BATCH) }, (_, at) =>
    txids.slice(at * BATCH, (at + 1) * BATCH),
  )
  const found = await Promise.all(chunks.map((chunk) => readChunk(rpc, chunk)))
  return new Map(found.flat().map((spend) => [spend.txid, spend]))
}

function readChunk(rpc: Rpc, txids: readonly string[]): Promise<Spend[]> {
  return rpc.ask(
    txids.map((txid) => ({ method: 'eth_getTransactionByHash', params: [txid] })),
    ({ answers }) =>
      txids.flatMap((txid, index) => {
        const answer = expectResult(answers[index], 'eth_getTransactionByHash')
        if (answer === null) return []
        const transaction = toRecord(answer, 'transaction')
        const prevTxid = toBytes(transaction.from, 20, 'from')
        return [{ txid, prevTxid, prevVout: toInteger(transaction.nonce, 'nonce') }]
      }),
    // A node behind the others knows fewer.
    { until: (spends) => spends.length === txids.length },
  )
}
