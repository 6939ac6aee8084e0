import { initiatorsOf } from '../../../domain/controls/approval.js'
import { type Check, type RequestContext, refuse } from '../check.js'

/**
 * An approver who requested the payout, or changed what it pays, does not count and may not be among those
 * who decided.
 */
export const initiatorNotApproving: Check<RequestContext> = {
  name: 'initiator-not-approving',
  purpose: 'pay',
  run(context) {
    const initiators = initiatorsOf(context.request.intent)
    const own = context.request.approvals.find((each) => {
      const person = context.policy.approvers.get(each.approver_id)?.personId
      return person !== undefined && initiators.includes(person)
    })
    return own
      ? refuse('INITIATOR_APPROVED', `Approver ${own.approver_id} requested this payout or changed it`)
      : null
  },
}
