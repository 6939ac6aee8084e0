/** Reads sources and fee of transactions from their parents. */

import type { UtxoNetwork } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { Transfer, TransferDetails } from '../../adapter.js'
import { addressOfScript } from '../address-of-script.js'
import { isCoinbase } from '../parse/movements-of-transaction.js'
import type { ParsedOutput, ParsedTransaction } from '../parse/parse-transaction.js'
import { fetchPrevouts, sumAmounts } from './fetch-prevouts.js'
import type { TransactionSource } from './transaction-source.js'

/**
 * Most distinct parents of one description. Beyond it, sources and fee stay unknown rather than cost a
 * gigabyte.
 */
const MAX_PARENTS = 500

/**
 * Describes the transaction of each transfer. Sources are summed by address; destinations are the outputs one
 * by one. Scripts without an address (OP_RETURN, bare multisig) are left out of both.
 */
export async function describeTransfers(
  transfers: readonly Transfer[],
  network: UtxoNetwork,
  source: TransactionSource,
): Promise<TransferDetails[]> {
  const transactions = await source.fetch(transfers.map((transfer) => transfer.txid))
  const described = new Map<string, TransferDetails>()
  const details: TransferDetails[] = []
  for (const { txid } of transfers) {
    const known =
      described.get(txid) ?? (await describeTransaction(txid, transactions.get(txid), network, source))
    described.set(txid, known)
    details.push(known)
  }
  return details
}

async function describeTransaction(
  txid: string,
  transaction: ParsedTransaction | undefined,
  network: UtxoNetwork,
  source: TransactionSource,
): Promise<TransferDetails> {
  if (!transaction) {
    throw new KeyturnError('DEPENDENCY_UNAVAILABLE', `The ${network.name} node no longer knows ${txid}`, {
      details: { network: network.name, txid },
      retryable: true,
    })
  }
  const destinations = withAddresses(transaction.outputs, network)
  if (isCoinbase(transaction)) return { sources: [], destinations, fee: 0n, spends: [] }
  const spends = transaction.inputs.map(({ prevTxid, prevVout }) => ({ txid, prevTxid, prevVout }))
  if (new Set(spends.map((spend) => spend.prevTxid)).size > MAX_PARENTS) {
    return { sources: [], destinations, fee: null, spends }
  }
  const prevouts = await fetchPrevouts(transaction, source)
  const amounts = new Map<string, bigint>()
  for (const { address, amount } of withAddresses(prevouts, network)) {
    amounts.set(address, (amounts.get(address) ?? 0n) + amount)
  }
  return {
    sources: [...amounts].map(([address, amount]) => ({ address, amount })),
    destinations,
    fee: sumAmounts(prevouts) - sumAmounts(transaction.outputs),
    spends,
  }
}

function withAddresses(outputs: readonly ParsedOutput[], network: UtxoNetwork) {
  return outputs.flatMap(({ script, amount }) => {
    const address = addressOfScript(script, network)
    return address === null ? [] : [{ address, amount }]
  })
}
