/** What makes two payloads exclude each other on chain. */

import type { ConflictSet } from '../journal/entry.js'
import type { PayloadContext } from './check.js'

/** The conflict set of a payload: its account's nonce (EVM), or the outpoints that it spends (UTXO). */
export function conflictSet(context: PayloadContext): ConflictSet {
  if ('utxo' in context) {
    const inputs = context.utxo.inputs.map((input) => input.outpoint)
    return { kind: 'utxo', network: context.network.caip2, anchor: inputs[0] ?? '', inputs }
  }
  const { from, nonce } = context.payload
  return { kind: 'evm', chain_id: context.network.chainId, from: from.toLowerCase(), nonce }
}
