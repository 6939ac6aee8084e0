/** The four-eyes principle over HTTP: what is to be approved, and each person's signed decision (contract section 3). */

import { createRoute, z } from '@hono/zod-openapi'
import { markApprovalSignalled } from '../../db/approvals/mark-approval-signalled.js'
import { recordApproval, type StoredApproval } from '../../db/approvals/record-approval.js'
import { findWithdrawal } from '../../db/withdrawals/find-withdrawal.js'
import { answer, success } from '../answer.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { secured } from '../secured.js'
import { startWithdrawalSoon } from '../start-withdrawal-soon.js'

const params = z.object({ id: z.string().max(255) })
const amountAt = z.object({ address: z.string(), amount: z.string().openapi({ description: 'Base units.' }) })

const intentView = z
  .object({
    intent: z.object({
      version: z.literal(1),
      kind: z.enum(['withdrawal', 'batch']),
      merchant: z.string(),
      withdrawal: z.string(),
      external_id: z.string().nullable(),
      network: z.string().openapi({ description: 'CAIP-2.', example: 'eip155:1' }),
      asset: z.object({ coin: z.string(), contract: z.string().nullable(), decimals: z.int() }),
      outputs: z.array(amountAt),
      fee_payer: z.enum(['sender', 'recipient']),
      fee_limit: z.object({ coin: z.string(), amount: z.string() }),
      initiator: z.string(),
      created_at: z.string(),
      expires_at: z.string(),
    }),
    intent_hash: z
      .string()
      .openapi({ description: 'Hex SHA-256 of "keyturn-intent-v1\\n" and the RFC 8785 form of `intent`.' }),
  })
  .openapi('Intent')

const approvalView = z
  .object({
    id: z.string(),
    withdrawal_id: z.string(),
    approver_id: z.string(),
    person_id: z.string(),
    decision: z.enum(['approve', 'reject']),
    intent_hash: z.string(),
    signed_at: z.string(),
    signature: z.string(),
    created_at: z.string(),
  })
  .openapi('Approval')

const readIntent = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/withdrawals/{id}/intent',
  summary: 'What approvers sign: the frozen intent and its hash',
  tags: ['Approvals'],
  request: { params },
  responses: { 200: answer(intentView) },
})

const approve = createRoute({
  ...secured('approvals'),
  method: 'post',
  path: '/withdrawals/{id}/approvals',
  summary: "An approver's signed decision; two approvals by two people, or one rejection, are final",
  tags: ['Approvals'],
  request: {
    params,
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z.strictObject({
            decision: z.enum(['approve', 'reject']),
            intent_hash: z.string().regex(/^[0-9a-f]{64}$/, '64 lower-case hex digits'),
            signed_at: z.iso.datetime().openapi({ description: 'Exactly as signed.' }),
            signature: z
              .string()
              .regex(/^[A-Za-z0-9+/]{86}==$/, 'base64 of the 64 bytes of an Ed25519 signature')
              .openapi({
                description:
                  'Of the UTF-8 bytes of "keyturn-approval-v1\\n" intent_hash "\\n" decision "\\n" approver_id "\\n" signed_at',
              }),
            approver_id: z
              .string()
              .max(255)
              .optional()
              .openapi({ description: 'Which of your keys signed; by default the one whose key verifies.' }),
            reason: z.string().max(1_000).optional(),
          }),
        },
      },
    },
  },
  responses: { 201: answer(approvalView, 'Stored; the withdrawal moves on as soon as the quorum is there') },
})

/** Registers `/withdrawals/{id}/intent` and `/withdrawals/{id}/approvals`. */
export function registerApprovalRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql } = dependencies

  app.openapi(readIntent, async (c) => {
    const row = await findWithdrawal(sql, c.get('merchantId'), c.req.valid('param').id)
    return c.json(
      success({ intent: { ...row.intent, outputs: [...row.intent.outputs] }, intent_hash: row.intent_hash }),
      200,
    )
  })

  app.openapi(approve, async (c) => {
    const { id } = c.req.valid('param')
    const body = c.req.valid('json')
    const { stored, kept } = await sql.begin(async (tx) => {
      const stored = await recordApproval(tx, {
        merchantId: c.get('merchantId'),
        withdrawalId: id,
        personId: c.get('personId'),
        approverId: body.approver_id,
        decision: body.decision,
        intentHash: body.intent_hash,
        signedAt: body.signed_at,
        signature: body.signature,
        reason: body.reason ?? null,
        actor: c.get('actor'),
      })
      return { stored, kept: await keepAnswer(c, tx, 201, success(view(id, stored))) }
    })
    startWithdrawalSoon(dependencies, id, async (handle) => {
      const { approver_id, person_id, decision, intent_hash, signed_at, signature } = stored
      await handle.signal('decide', { approver_id, person_id, decision, intent_hash, signed_at, signature })
      await markApprovalSignalled(sql, stored.id)
    })
    return c.json(kept, 201)
  })
}

function view(id: string, stored: StoredApproval): z.infer<typeof approvalView> {
  return {
    id: stored.id,
    withdrawal_id: id,
    approver_id: stored.approver_id,
    person_id: stored.person_id,
    decision: stored.decision,
    intent_hash: stored.intent_hash,
    signed_at: stored.signed_at,
    signature: stored.signature,
    created_at: stored.created_at.toISOString(),
  }
}
