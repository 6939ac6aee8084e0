import { type Refusal, type RequestContext, refuse } from '../check.js'

/** Who asked for it does not count, and is not among those who decided. */
export function initiatorNotApproving(context: RequestContext): Refusal | null {
  const own = context.request.approvals.find((each) => {
    return context.policy.approvers.get(each.approver_id)?.personId === context.request.intent.initiator
  })
  return own
    ? refuse('INITIATOR_APPROVED', `Approver ${own.approver_id} is who asked for this payment`)
    : null
}
