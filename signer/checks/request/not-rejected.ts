import { type Check, type RequestContext, refuse } from '../check.js'

/** One rejection is final. */
export const notRejected: Check<RequestContext> = {
  name: 'not-rejected',
  purpose: 'pay',
  run(context) {
    const rejection = context.request.approvals.find((each) => each.decision === 'reject')
    return rejection ? refuse('REJECTED', `Approver ${rejection.approver_id} rejected it`) : null
  },
}
