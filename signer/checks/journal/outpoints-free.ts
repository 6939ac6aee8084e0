import { recordName } from '../../journal/records.js'
import { type Check, type PayloadContext, refuse } from '../check.js'
import { conflictSet } from '../conflict-set.js'

/**
 * An outpoint that another record was first signed with goes only to a payout of another intent that people
 * approved. Such a payout can exclude the first one and can never pay it twice, because every payload of an
 * intent spends the first one's outpoints. So a payout that can no longer be mined, because another of its
 * inputs was spent, leaves its coins to others. A transaction that people did not approve must not exclude
 * a signed payout outside the limits of cancellations, and the parts of one batch are distinguished by their
 * coins alone.
 */
export const outpointsFree: Check<PayloadContext> = {
  name: 'outpoints-free',
  run(context) {
    const set = conflictSet(context)
    if (set.kind !== 'utxo') return null
    const { records } = context.state.journal
    const approved = context.movement === null && context.request.purpose === 'pay'
    for (const outpoint of set.inputs) {
      const owners = records.outpointOwners(set.network, outpoint)
      const owner = approved
        ? owners.find((each) => each !== context.record && each.intentHash === context.intentHash)
        : owners.at(-1)
      if (owner && owner !== context.record)
        return refuse('CONFLICT_SET', `${outpoint} was signed for ${recordName(owner)}`)
    }
    return null
  },
}
