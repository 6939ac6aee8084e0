import { type Check, type RequestContext, refuse } from '../check.js'

/** Every decision must come from a key that the customer pinned. What the platform says about persons does not count. */
export const approversPinned: Check<RequestContext> = {
  name: 'approvers-pinned',
  purpose: 'pay',
  run(context) {
    const stranger = context.request.approvals.find((each) => !context.policy.approvers.has(each.approver_id))
    return stranger
      ? refuse('APPROVER_UNKNOWN', `Approver ${stranger.approver_id} is not pinned in the policy`)
      : null
  },
}
