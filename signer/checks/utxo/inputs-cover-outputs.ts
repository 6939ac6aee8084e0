import { type Refusal, refuse, type UtxoContext } from '../check.js'

/** A transaction that pays more than it spends is nonsense. */
export function inputsCoverOutputs(context: UtxoContext): Refusal | null {
  return context.utxo.fee >= 0n
    ? null
    : refuse('AMOUNT_MISMATCH', 'The outputs are worth more than the inputs')
}
