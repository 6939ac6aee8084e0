import { type Check, type RequestContext, refuse } from '../check.js'

/** A decision cannot have been signed later than now. */
export const approvalsNotFromFuture: Check<RequestContext> = {
  name: 'approvals-not-from-future',
  purpose: 'pay',
  once: true,
  run(context) {
    const early = context.request.approvals.find((each) => {
      return Date.parse(each.signed_at) > context.now + context.policy.clockSkewMs
    })
    return early
      ? refuse('APPROVAL_INVALID', `The decision of ${early.approver_id} is from the future`)
      : null
  },
}
