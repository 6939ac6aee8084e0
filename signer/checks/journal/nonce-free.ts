import { recordName } from '../../journal/records.js'
import { type Check, type PayloadContext, refuse } from '../check.js'
import { conflictSet } from '../conflict-set.js'

/** A nonce that was signed for one intent is not signed for another. */
export const nonceFree: Check<PayloadContext> = {
  name: 'nonce-free',
  run(context) {
    const set = conflictSet(context)
    if (set.kind !== 'evm') return null
    const owner = context.state.journal.records.nonceOwner(set.chain_id, set.from, set.nonce)
    if (owner === undefined || owner === context.record) return null
    return refuse('NONCE_CONFLICT', `Nonce ${set.nonce} of ${set.from} was signed for ${recordName(owner)}`)
  },
}
