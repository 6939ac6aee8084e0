import { type Refusal, refuse, type UtxoContext } from '../check.js'

/** A transaction without outputs is in no block: its coins would only be tied up. */
export function outputsPresent(context: UtxoContext): Refusal | null {
  if (context.utxo.psbt.transaction.outputs.length > 0) return null
  return refuse('OUTPUT_NOT_ALLOWED', 'The transaction has no outputs')
}
