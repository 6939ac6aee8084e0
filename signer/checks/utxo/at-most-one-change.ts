import { type Check, refuse, type UtxoContext } from '../check.js'

/** Besides the approved outputs there may be one more, the change. */
export const atMostOneChange: Check<UtxoContext> = {
  name: 'at-most-one-change',
  run(context) {
    if (context.utxo.extra.length <= 1) return null
    return refuse('OUTPUT_NOT_ALLOWED', 'The transaction has outputs that were not approved')
  },
}
