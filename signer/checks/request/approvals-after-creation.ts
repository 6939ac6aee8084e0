import { type Check, type RequestContext, refuse } from '../check.js'

/** A decision cannot be older than the intent that it decides on. */
export const approvalsAfterCreation: Check<RequestContext> = {
  name: 'approvals-after-creation',
  purpose: 'pay',
  run(context) {
    const created = Date.parse(context.request.intent.created_at)
    const early = context.request.approvals.find((each) => {
      return Date.parse(each.signed_at) < created - context.policy.clockSkewMs
    })
    return early
      ? refuse('APPROVAL_STALE', `The decision of ${early.approver_id} is older than the intent`)
      : null
  },
}
