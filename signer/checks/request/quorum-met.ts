import { type Check, type RequestContext, refuse } from '../check.js'

/**
 * Enough distinct persons must have approved, except for movements that need no approval. A person with two
 * keys is one person.
 */
export const quorumMet: Check<RequestContext> = {
  name: 'quorum-met',
  purpose: 'pay',
  run(context) {
    if (context.movement && !context.movement.needsApproval) return null
    const persons = new Set<string>()
    for (const each of context.request.approvals) {
      const pinned = context.policy.approvers.get(each.approver_id)
      if (pinned && each.decision === 'approve') persons.add(pinned.personId)
    }
    if (persons.size >= context.policy.quorum) return null
    return refuse('QUORUM_NOT_MET', `${persons.size} of ${context.policy.quorum} persons approved`)
  },
}
