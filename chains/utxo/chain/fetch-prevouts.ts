/** Fetches the outputs that a transaction spends. */

import { KeyturnError } from '../../../domain/errors.js'
import type { ParsedOutput, ParsedTransaction } from '../parse/parse-transaction.js'
import type { TransactionSource } from './transaction-source.js'

/**
 * Returns the outputs that a transaction spends, in the order of its inputs.
 *
 * @throws KeyturnError `DEPENDENCY_UNAVAILABLE` (retryable) if the node does not know a parent.
 */
export async function fetchPrevouts(
  transaction: ParsedTransaction,
  source: TransactionSource,
): Promise<ParsedOutput[]> {
  const parents = await source.fetch(transaction.inputs.map((input) => input.prevTxid))
  return transaction.inputs.map(({ prevTxid, prevVout }) => {
    const output = parents.get(prevTxid)?.outputs[prevVout]
    if (output) return output
    throw new KeyturnError(
      'DEPENDENCY_UNAVAILABLE',
      `The node does not know ${prevTxid}, a parent of ${transaction.txid}`,
      {
        details: { txid: transaction.txid, parent: prevTxid },
        retryable: true,
      },
    )
  })
}

/** Returns the sum of amounts in base units. */
export function sumAmounts(items: readonly { readonly amount: bigint }[]): bigint {
  return items.reduce((sum, each) => sum + each.amount, 0n)
}
