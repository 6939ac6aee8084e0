import { type Refusal, refuse, type UtxoContext } from '../check.js'

/** Besides what was approved there may be one output, the change. */
export function atMostOneChange(context: UtxoContext): Refusal | null {
  if (context.utxo.extra.length <= 1) return null
  return refuse('OUTPUT_NOT_ALLOWED', 'The transaction has outputs that nobody approved')
}
