import { type Check, refuse, type UtxoContext } from '../check.js'

/** A transaction must spend something. */
export const inputsPresent: Check<UtxoContext> = {
  name: 'inputs-present',
  run(context) {
    return context.utxo.inputs.length > 0 ? null : refuse('UNKNOWN_INPUT', 'The transaction spends nothing')
  },
}
