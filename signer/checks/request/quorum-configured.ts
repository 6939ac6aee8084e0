import { type Check, type RequestContext, refuse } from '../check.js'

/** A policy without approvers, or with a quorum below two, denies everything that people must approve. */
export const quorumConfigured: Check<RequestContext> = {
  name: 'quorum-configured',
  purpose: 'pay',
  run(context) {
    if (context.movement && !context.movement.needsApproval) return null
    if (context.policy.quorum >= 2 && context.policy.approvers.size > 0) return null
    return refuse(
      'QUORUM_NOT_MET',
      'The policy pins no approvers or asks for fewer than two; nothing can be approved',
    )
  },
}
