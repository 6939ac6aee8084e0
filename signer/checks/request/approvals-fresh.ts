import { type Check, type RequestContext, refuse } from '../check.js'

/** A decision older than the policy's age does not count any more, unless it was acted on in time (see `intent-not-expired`). */
export const approvalsFresh: Check<RequestContext> = {
  name: 'approvals-fresh',
  purpose: 'pay',
  once: true,
  run(context) {
    if (context.record?.paid) return null
    const old = context.request.approvals.find((each) => {
      return Date.parse(each.signed_at) < context.now - context.policy.approvalMaxAgeMs
    })
    return old
      ? refuse('APPROVAL_STALE', `The decision of ${old.approver_id} is too old; approve again`)
      : null
  },
}
