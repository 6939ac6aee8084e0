/** Approvals and reviews: who must agree to a subject, and who has decided about it. */

import { z } from 'zod'
import { Risk } from './risk.js'

const decision = z.enum(['approve', 'reject'])

const decided = {
  id: z.string().meta({ example: 'apv_0193…' }),
  approver_id: z.string(),
  person_id: z.string(),
  decision,
  intent_hash: z.string(),
  signed_at: z.string(),
  signature: z.string(),
  created_at: z.string(),
}

/** The answer to a decision that the API has stored. */
export const Approval = z
  .object({
    ...decided,
    subject_id: z.string().meta({ description: 'Id of the subject that the decision is about.' }),
    withdrawal_id: z
      .string()
      .optional()
      .meta({ description: 'Same as `subject_id`, for a withdrawal only.' }),
  })
  .meta({ id: 'Approval', description: "An approver's stored decision." })
export type Approval = z.infer<typeof Approval>

/** A decision as its subject lists it. */
export const ListedApproval = z
  .object({
    ...decided,
    reason: z.string().nullable(),
    counts: z.boolean().meta({
      description: 'False for the approval of an approver who was removed before the threshold was met.',
    }),
  })
  .meta({ id: 'ListedApproval', description: "An approver's decision, as the subject lists it." })
export type ListedApproval = z.infer<typeof ListedApproval>

/** What a subject that needs approvals shows about them. */
export const approvalFields = {
  approvals: z.array(ListedApproval).readonly(),
  required_approvals: z.int(),
  intent_hash: z.string().meta({ description: 'Hash that approvers sign.' }),
}

/** What a payout request shows about its approvals, its risk and its review. */
export const controlFields = {
  ...approvalFields,
  required_signers: z.array(z.string()).readonly().meta({
    description: 'Ids of the approvers whose approval counts. Empty where each approver counts.',
  }),
  required_roles: z
    .array(z.string())
    .readonly()
    .meta({ description: 'Roles of which at least one must be among those who approve.' }),
  risk: Risk.nullable(),
  review: z
    .object({
      required: z.boolean(),
      decision: decision.optional(),
      reviewer: z.string().optional().meta({ description: 'Id of the person who reviewed.' }),
      reason: z.string().optional(),
      at: z.string().optional(),
    })
    .nullable()
    .meta({ description: 'The review before the approvals. `null` where none is needed.' }),
}

/** The body of a review. */
export const ReviewDecision = z.strictObject({ decision, reason: z.string().min(1).max(1_000) })
export type ReviewDecision = z.infer<typeof ReviewDecision>

/** The body of an approval: a decision signed with the approver's own key. */
export const ApprovalDecision = z
  .strictObject({
    decision,
    intent_hash: z.string().regex(/^[0-9a-f]{64}$/, '64 lower-case hex digits'),
    signed_at: z.iso.datetime().meta({ description: 'Exactly as signed.' }),
    signature: z
      .string()
      .regex(/^[A-Za-z0-9+/]{86}==$/, 'base64 of the 64 bytes of an Ed25519 signature')
      .meta({
        description:
          'Signature of the UTF-8 bytes of "keyturn-approval-v1\\n" intent_hash "\\n" decision "\\n" approver_id "\\n" signed_at.',
      }),
    approver_id: z.string().max(255).optional().meta({
      description: 'Id of the key that signed. Default: the key of yours that verifies the signature.',
    }),
    reason: z.string().max(1_000).optional(),
  })
  .meta({ id: 'Decision', description: "An approver's signed decision." })
export type ApprovalDecision = z.input<typeof ApprovalDecision>
