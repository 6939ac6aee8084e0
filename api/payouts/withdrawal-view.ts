/** How the API shows a withdrawal, and what batches and movements show of it (seed 002; contract section 3). */

import { z } from '@hono/zod-openapi'
import { RISK_FACTORS } from '../../domain/controls/policy.js'
import { PRIORITIES } from '../../domain/payouts/priority.js'
import { WITHDRAWAL_STAGES } from '../../domain/payouts/withdrawal-stage.js'
import { amountSchema } from './withdrawal-request.js'

const amount = amountSchema
const priority = z.enum(PRIORITIES)

/** The seven of the guide. */
export const STATUSES = [
  'pending',
  'processing',
  'broadcasting',
  'confirming',
  'confirmed',
  'failed',
  'cancelled',
] as const

/** Who has to agree, and who has: of a withdrawal and of a batch. */
export const controls = {
  approvals: z.array(
    z.object({
      id: z.string(),
      approver_id: z.string(),
      person_id: z.string(),
      decision: z.enum(['approve', 'reject']),
      intent_hash: z.string(),
      signed_at: z.string(),
      signature: z.string(),
      reason: z.string().nullable(),
      counts: z.boolean().openapi({
        description: 'False for the approval of an approver who was removed before the threshold was met.',
      }),
      created_at: z.string(),
    }),
  ),
  required_approvals: z.int(),
  required_signers: z.array(z.string()).openapi({
    description: "Ids of the approvers whose approval counts; empty where every approver's does.",
  }),
  required_roles: z
    .array(z.string())
    .openapi({ description: 'Roles of which at least one must be among those who approve.' }),
  intent_hash: z.string(),
  risk: z
    .object({
      score: z.number().openapi({ description: '0 to 100.' }),
      threshold: z.number().openapi({ description: 'Above it a person reviews, unless whitelisted.' }),
      sanctioned: z.boolean(),
      factors: z.array(
        z.object({ name: z.enum(RISK_FACTORS), score: z.number(), weight: z.number(), reason: z.string() }),
      ),
    })
    .nullable(),
  review: z
    .object({
      required: z.boolean(),
      decision: z.enum(['approve', 'reject']).optional(),
      reviewer: z.string().optional(),
      reason: z.string().optional(),
      at: z.string().optional(),
    })
    .nullable()
    .openapi({ description: 'Null where nobody has to look at it before the approvals.' }),
}

export const withdrawalView = z
  .object({
    id: z.string().openapi({ example: 'withdrawal_0193…' }),
    status: z.enum(STATUSES),
    stage: z.enum(WITHDRAWAL_STAGES).openapi({ description: 'The fine state behind `status`.' }),
    network: z.string(),
    coin: z.string(),
    amount,
    fee: z
      .string()
      .openapi({ description: 'In whole `fee_coin`: the estimate until the real one is known.' }),
    fee_coin: z.string(),
    fee_limit: z.string().openapi({ description: 'The most that the fee may be; held until it is known.' }),
    fee_payer: z.enum(['sender', 'recipient']),
    priority,
    to_address: z.string(),
    from_address: z.string().nullable(),
    user_reference: z.string().nullable(),
    external_id: z.string().nullable(),
    metadata: z.record(z.string(), z.unknown()),
    ...controls,
    failure: z.object({ code: z.string(), message: z.string() }).nullable(),
    waiting: z
      .object({ code: z.string(), message: z.string(), since: z.string() })
      .nullable()
      .openapi({ description: 'Why nothing moves at the moment.' }),
    speed_up: z
      .object({
        priority,
        max_fee: z.string().nullable(),
        requested_by: z.string(),
        requested_at: z.string(),
      })
      .nullable()
      .openapi({ description: 'A dearer transaction that was asked for and is not at the signer yet.' }),
    cancellation: z
      .object({ requested_by: z.string(), requested_at: z.string(), reason: z.string() })
      .nullable()
      .openapi({ description: 'A transaction that pays nobody shall take the place of the payment.' }),
    attempts: z
      .array(
        z.object({
          number: z.int(),
          purpose: z.enum(['pay', 'cancel']),
          cause: z.enum(['first', 'speed_up', 'lagging', 'cancel']),
          priority,
          state: z.enum(['built', 'signed', 'broadcast', 'mined', 'final', 'replaced', 'abandoned']),
          transaction_hash: z.string().nullable(),
          max_fee: z.string(),
          fee: z.string().nullable(),
          created_at: z.string(),
          broadcast_at: z.string().nullable(),
        }),
      )
      .openapi({
        description:
          'The transactions that were made for it, newest first. They exclude each other: one is mined at most.',
      }),
    transaction_hash: z
      .string()
      .nullable()
      .openapi({ description: 'Of the attempt that is in the chain, else of the one that nodes took last.' }),
    investigation: z.object({ reason: z.string(), by: z.string(), at: z.string() }).nullable().openapi({
      description: 'While it stands, nothing is built or handed to a signer.',
    }),
    screening: z
      .object({
        state: z.enum(['pending', 'approved', 'rejected', 'review']),
        reason: z.string().nullable().optional(),
        reference: z.string().nullable().optional(),
        at: z.string().optional(),
      })
      .nullable()
      .openapi({
        description: 'What the screening service says of the destination; null: none was to be asked.',
      }),
    retry_of: z
      .string()
      .nullable()
      .openapi({ description: 'The one that failed and that this one asks for again.' }),
    retried_by: z.string().nullable(),
    confirmations: z.int(),
    required_confirmations: z.int(),
    block_number: z.int().nullable(),
    history: z.array(
      z.object({ stage: z.enum(WITHDRAWAL_STAGES), status: z.string(), at: z.string(), cause: z.string() }),
    ),
    estimated_confirmation_time: z.string(),
    expires_at: z.string(),
    created_at: z.string(),
    updated_at: z.string(),
    confirmed_at: z.string().nullable(),
  })
  .openapi('Withdrawal')

/** What a reviewer says of a withdrawal or a batch that looked risky. */
export const reviewDecision = z.strictObject({
  decision: z.enum(['approve', 'reject']),
  reason: z.string().min(1).max(1_000),
})
