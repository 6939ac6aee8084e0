import { type Check, refuse, type UtxoContext } from '../check.js'

/** Every input must bring the transaction that it spends from: SegWit signatures do not commit to the other amounts. */
export const parentsPresent: Check<UtxoContext> = {
  name: 'parents-present',
  run(context) {
    const index = context.utxo.inputs.findIndex((input) => input.spent === null)
    return index === -1
      ? null
      : refuse('UNKNOWN_INPUT', `Input ${index} does not bring the output that it spends`)
  },
}
