import { type Check, refuse, type UtxoContext } from '../check.js'

/** A transaction that pays more than it spends is invalid. */
export const inputsCoverOutputs: Check<UtxoContext> = {
  name: 'inputs-cover-outputs',
  run(context) {
    return context.utxo.fee >= 0n
      ? null
      : refuse('AMOUNT_MISMATCH', 'The outputs are worth more than the inputs')
  },
}
