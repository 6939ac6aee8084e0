import { type Check, refuse, type UtxoContext } from '../check.js'

/** A transaction without outputs is in no block: its coins would only be tied up. */
export const outputsPresent: Check<UtxoContext> = {
  name: 'outputs-present',
  run(context) {
    if (context.utxo.psbt.transaction.outputs.length > 0) return null
    return refuse('OUTPUT_NOT_ALLOWED', 'The transaction has no outputs')
  },
}
