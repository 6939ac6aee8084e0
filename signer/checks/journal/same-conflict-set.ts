import { type Check, type PayloadContext, refuse } from '../check.js'
import { conflictSet } from '../conflict-set.js'

/** Another payload for a signed intent must exclude the first on chain: same nonce, or all inputs of the first. */
export const sameConflictSet: Check<PayloadContext> = {
  name: 'same-conflict-set',
  run(context) {
    if (!context.record) return null
    const first = context.record.conflict
    const now = conflictSet(context)
    if (first.kind === 'evm' && now.kind === 'evm') {
      const same = first.chain_id === now.chain_id && first.from === now.from && first.nonce === now.nonce
      return same
        ? null
        : refuse('CONFLICT_SET', `This intent was signed with nonce ${first.nonce} of ${first.from}`)
    }
    if (first.kind === 'utxo' && now.kind === 'utxo' && first.network === now.network) {
      const inputs = new Set(now.inputs)
      const missing = first.inputs.find((each) => !inputs.has(each))
      return missing === undefined
        ? null
        : refuse('CONFLICT_SET', `This intent was signed spending ${missing}, which is missing`)
    }
    return refuse('CONFLICT_SET', 'This intent was signed on another network')
  },
}
