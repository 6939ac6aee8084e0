import { type Check, type PayloadContext, refuse } from '../check.js'
import { conflictSet } from '../conflict-set.js'

/**
 * A cancelling transaction must exclude something that this signer signed: a payout that the journal holds,
 * or on an EVM network a nonce that is still free below one that was used. Any other would only burn fees.
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
