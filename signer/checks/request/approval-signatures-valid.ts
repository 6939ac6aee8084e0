import type { ParsedApproval } from '../../parse-request.js'
import { type Check, type RequestContext, refuse } from '../check.js'

/**
 * Every decision must carry the signature of the pinned key over the exact text (docs/signer-protocol.md,
 * "Approvals").
 */
export const approvalSignaturesValid: Check<RequestContext> = {
  name: 'approval-signatures-valid',
  purpose: 'pay',
  run(context) {
    const forged = context.request.approvals.find((each) => !isSigned(context, each))
    return forged ? refuse('APPROVAL_INVALID', `The signature of ${forged.approver_id} is not valid`) : null
  },
}

function isSigned(context: RequestContext, approval: ParsedApproval): boolean {
  const pinned = context.policy.approvers.get(approval.approver_id)
  // `approvers-pinned` refuses an approver without a pinned key; here there is nothing to verify against.
  if (!pinned) return true
  return context.state.approvals.isSigned(pinned.key, approval)
}
