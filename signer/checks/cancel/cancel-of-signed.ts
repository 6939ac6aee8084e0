import { type Check, type PayloadContext, refuse } from '../check.js'
import { conflictSet } from '../conflict-set.js'

/**
 * Only what was signed can be in the way: a payment that the journal holds, or on an EVM network a nonce that nothing was signed
 * with, below one that something was. Everything else would only burn fees.
 */
export const cancelOfSigned: Check<PayloadContext> = {
  name: 'cancel-of-signed',
  purpose: 'cancel',
  run(context) {
    if (context.record) return null
    const set = conflictSet(context)
    if (set.kind === 'evm') {
      const highest = context.state.journal.records.highestNonce(set.chain_id, set.from)
      if (highest !== null && set.nonce < highest) return null
    }
    return refuse('CONFLICT_SET', 'Nothing was signed that this could cancel')
  },
}
