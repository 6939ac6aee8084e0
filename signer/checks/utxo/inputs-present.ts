import { type Refusal, refuse, type UtxoContext } from '../check.js'

/** A transaction must spend something. */
export function inputsPresent(context: UtxoContext): Refusal | null {
  return context.utxo.inputs.length > 0 ? null : refuse('UNKNOWN_INPUT', 'The transaction spends nothing')
}
