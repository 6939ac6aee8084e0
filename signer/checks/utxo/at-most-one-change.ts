import { type Check, refuse, type UtxoContext } from '../check.js'

/** Besides what was approved there may be one output, the change. */
export const atMostOneChange: Check<UtxoContext> = {
  name: 'at-most-one-change',
  run(context) {
    if (context.utxo.extra.length <= 1) return null
    return refuse('OUTPUT_NOT_ALLOWED', 'The transaction has outputs that nobody approved')
  },
}
