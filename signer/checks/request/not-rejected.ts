import { type Refusal, type RequestContext, refuse } from '../check.js'

/** One rejection is final. */
export function notRejected(context: RequestContext): Refusal | null {
  const rejection = context.request.approvals.find((each) => each.decision === 'reject')
  return rejection ? refuse('REJECTED', `Approver ${rejection.approver_id} rejected it`) : null
}
