import { KeyturnError } from '../../../domain/errors.js'
import type { UtxoNetwork } from '../../../domain/network.js'
import type { Transfer, TransferDetails } from '../../adapter.js'
import { addressOfScript } from '../address-of-script.js'
import { isCoinbase } from '../parse/movements-of-transaction.js'
import type { ParsedOutput } from '../parse/parse-transaction.js'
import { fetchPrevouts, sumAmounts } from './fetch-prevouts.js'
import type { TransactionSource } from './transaction-source.js'

/** Distinct parents that are fetched for one description; beyond, sources and fee stay unknown rather than cost a gigabyte. */
const MAX_PARENTS = 500

/**
 * Describes the transaction of a transfer. Sources are summed by address; destinations are the outputs one by one.
 * Scripts without an address (OP_RETURN, bare multisig) are left out of both.
 */
export async function describeTransfer(
  transfer: Transfer,
  network: UtxoNetwork,
  source: TransactionSource,
): Promise<TransferDetails> {
  const transaction = (await source.fetch([transfer.txid])).get(transfer.txid)
  if (!transaction) {
    throw new KeyturnError(
      'DEPENDENCY_UNAVAILABLE',
      `The ${network.name} node no longer knows ${transfer.txid}`,
      {
        details: { network: network.name, txid: transfer.txid },
        retryable: true,
      },
    )
  }
  const destinations = withAddresses(transaction.outputs, network)
  if (isCoinbase(transaction)) return { sources: [], destinations, fee: 0n, spends: [] }
  const { txid } = transaction
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
