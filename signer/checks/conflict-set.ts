/** Computes what makes two payloads exclude each other on the chain. */

import type { ConflictSet } from '../journal/entry.js'
import { byFamily } from './by-family.js'
import type { PayloadContext } from './check.js'

/**
 * Returns the conflict set of a payload: its account's nonce (EVM), or the outpoints that it spends (UTXO).
 */
export function conflictSet(context: PayloadContext): ConflictSet {
  return byFamily(context, {
    utxo: ({ utxo, network }): ConflictSet => {
      const inputs = utxo.inputs.map((input) => input.outpoint)
      return { kind: 'utxo', network: network.caip2, anchor: inputs[0] ?? '', inputs }
    },
    evm: ({ payload, network }): ConflictSet => {
      const { from, nonce } = payload
      return { kind: 'evm', chain_id: network.chainId, from: from.toLowerCase(), nonce }
    },
  })
}
