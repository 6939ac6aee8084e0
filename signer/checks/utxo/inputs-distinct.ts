import { type Check, refuse, type UtxoContext } from '../check.js'

/** An outpoint that is listed twice would count twice and can be spent once. */
export const inputsDistinct: Check<UtxoContext> = {
  name: 'inputs-distinct',
  run(context) {
    const outpoints = new Set(context.utxo.inputs.map((input) => input.outpoint))
    return outpoints.size === context.utxo.inputs.length
      ? null
      : refuse('UNKNOWN_INPUT', 'An input is listed twice')
  },
}
