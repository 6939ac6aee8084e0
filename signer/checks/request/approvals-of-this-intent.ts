import { type Check, type RequestContext, refuse } from '../check.js'

/** A decision on another intent says nothing about this one. */
export const approvalsOfThisIntent: Check<RequestContext> = {
  name: 'approvals-of-this-intent',
  purpose: 'pay',
  run(context) {
    const other = context.request.approvals.find((each) => each.intent_hash !== context.intentHash)
    return other
      ? refuse('APPROVAL_INVALID', `The decision of ${other.approver_id} is on another intent`)
      : null
  },
}
