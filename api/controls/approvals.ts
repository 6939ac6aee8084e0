/** Routes of approvals: the intent of each resource that needs approval, and each person's signed decision. */

import { createRoute, z } from '@hono/zod-openapi'
import type { WorkflowHandle } from '@temporalio/client'
import { inTransaction, type Sql } from '../../db/connect.js'
import type { LockSubject } from '../../db/controls/approvals/approval-subject.js'
import { markApprovalSignalled } from '../../db/controls/approvals/mark-approval-signalled.js'
import { recordApproval, type StoredApproval } from '../../db/controls/approvals/record-approval.js'
import { findControlChange, lockChangeSubject } from '../../db/controls/changes/find-control-change.js'
import { findBatch, lockBatchSubject } from '../../db/payouts/batches/find-batch.js'
import { findMovement, lockMovementSubject } from '../../db/payouts/movements/movement-subject.js'
import { findWithdrawal } from '../../db/payouts/withdrawals/find-withdrawal.js'
import { lockWithdrawalSubject } from '../../db/payouts/withdrawals/lock-withdrawal-subject.js'
import type { ControlChangeKind } from '../../domain/controls/control-change.js'
import { type AnyIntent, INTENT_KINDS } from '../../domain/controls/intent.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, success } from '../http/answer.js'
import { mutable } from '../http/mutable.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { startBatchSoon } from '../start/start-batch-soon.js'
import { startControlChangeSoon } from '../start/start-control-change-soon.js'
import { startWithdrawalSoon } from '../start/start-withdrawal-soon.js'

const params = z.object({ id: z.string().max(255) })
const amountAt = z.object({ address: z.string(), amount: z.string().openapi({ description: 'Base units.' }) })
const asked = { initiator: z.string(), created_at: z.string(), expires_at: z.string() }

const payoutIntent = z
  .object({
    version: z.literal(1),
    kind: z.enum(INTENT_KINDS),
    merchant: z.string(),
    withdrawal: z.string(),
    signer: z.string().optional().openapi({
      description: 'Id of the signer that shall pay; absent where it was asked for before intents named it.',
      example: 'sig_0193…',
    }),
    external_id: z.string().nullable(),
    network: z.string().openapi({ description: 'CAIP-2.', example: 'eip155:1' }),
    asset: z.object({ coin: z.string(), contract: z.string().nullable(), decimals: z.int() }),
    outputs: z.array(amountAt),
    fee_payer: z.enum(['sender', 'recipient']),
    fee_limit: z.object({ coin: z.string(), amount: z.string() }),
    co_initiators: z.array(z.string()).optional().openapi({
      description: 'Others who shaped what it pays; absent where there are none.',
    }),
    ...asked,
  })
  .openapi('PayoutIntent')
const policyIntent = z
  .object({
    version: z.literal(1),
    kind: z.literal('policy'),
    merchant: z.string(),
    change: z.string(),
    base_version: z.int(),
    changes: z.array(
      z.object({
        field: z.string().openapi({ example: 'limits.user.ethereum.usdt.daily' }),
        from: z.unknown(),
        to: z.unknown(),
        effect: z.enum(['tightening', 'loosening']),
      }),
    ),
    cool_down_seconds: z.int(),
    ...asked,
  })
  .openapi('PolicyIntent')
const whitelistIntent = z
  .object({
    version: z.literal(1),
    kind: z.literal('whitelist'),
    merchant: z.string(),
    entry: z.string(),
    network: z.string(),
    address: z.string(),
    label: z.string(),
    daily_limit: z.string().nullable(),
    monthly_limit: z.string().nullable(),
    cool_down_seconds: z.int(),
    ...asked,
  })
  .openapi('WhitelistIntent')

const releaseIntent = z
  .object({
    version: z.literal(1),
    kind: z.literal('deposit_release'),
    merchant: z.string(),
    release: z.string(),
    deposit: z.string(),
    epoch: z.int(),
    network: z.string(),
    asset: z.object({ coin: z.string(), contract: z.string().nullable(), decimals: z.int() }),
    amount: z.string().openapi({ description: 'Base units.' }),
    address: z.string(),
    user_reference: z.string().nullable(),
    transaction_hash: z.string(),
    sources: z.array(z.string()),
    reason: z.string(),
    cool_down_seconds: z.int(),
    ...asked,
  })
  .openapi('DepositReleaseIntent')

const HASH_DESCRIPTION = 'Hex SHA-256 of "keyturn-intent-v1\\n" and the RFC 8785 form of `intent`.'
const intentView = (
  name: string,
  intent: typeof payoutIntent | typeof policyIntent | typeof whitelistIntent | typeof releaseIntent,
) => z.object({ intent, intent_hash: z.string().openapi({ description: HASH_DESCRIPTION }) }).openapi(name)

const stored = {
  id: z.string(),
  approver_id: z.string(),
  person_id: z.string(),
  decision: z.enum(['approve', 'reject']),
  intent_hash: z.string(),
  signed_at: z.string(),
  signature: z.string(),
  created_at: z.string(),
}
/** A stored decision; `withdrawal_id` where it is about one. */
const approvalView = z
  .object({ ...stored, subject_id: z.string(), withdrawal_id: z.string().optional() })
  .openapi('Approval')

const decision = z
  .strictObject({
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
  })
  .openapi('Decision')

/** One kind of resource that people decide about. */
interface Approvable {
  /** Path of the resource, with `{id}`. */
  readonly path: string
  readonly view: ReturnType<typeof intentView>
  readonly find: (
    sql: Sql,
    merchantId: string,
    id: string,
  ) => Promise<{ intent: AnyIntent; intent_hash: string }>
  readonly lock: LockSubject
  readonly startSoon: (
    dependencies: ApiDependencies,
    id: string,
    signal: (handle: WorkflowHandle) => Promise<unknown>,
  ) => void
}

const change = (kind: ControlChangeKind): Pick<Approvable, 'find' | 'lock' | 'startSoon'> => ({
  find: (sql, merchantId, id) => findControlChange(sql, kind, merchantId, id),
  lock: lockChangeSubject(kind),
  startSoon: startControlChangeSoon,
})

const APPROVABLES: readonly Approvable[] = [
  {
    path: '/withdrawals/{id}',
    view: intentView('Intent', payoutIntent),
    find: findWithdrawal,
    lock: lockWithdrawalSubject,
    startSoon: startWithdrawalSoon,
  },
  {
    path: '/movements/{id}',
    view: intentView('MovementIntent', payoutIntent),
    find: findMovement,
    lock: lockMovementSubject,
    startSoon: startWithdrawalSoon,
  },
  {
    path: '/batches/{id}',
    view: intentView('BatchIntent', payoutIntent),
    find: findBatch,
    lock: lockBatchSubject,
    startSoon: startBatchSoon,
  },
  { path: '/policy/changes/{id}', view: intentView('PolicyChangeIntent', policyIntent), ...change('policy') },
  {
    path: '/whitelist/addresses/{id}',
    view: intentView('WhitelistEntryIntent', whitelistIntent),
    ...change('whitelist'),
  },
  {
    path: '/deposits/releases/{id}',
    view: intentView('DepositReleaseRequestIntent', releaseIntent),
    ...change('deposit_release'),
  },
]

/** Registers `/intent` and `/approvals` under every resource that needs approval. */
export function registerApprovalRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  for (const approvable of APPROVABLES) register(app, dependencies, approvable)
}

function register(app: ApiApp, dependencies: ApiDependencies, approvable: Approvable): void {
  const { sql } = dependencies
  const readIntent = createRoute({
    ...secured('read'),
    method: 'get',
    path: `${approvable.path}/intent`,
    summary: 'The frozen intent that approvers sign, and its hash',
    tags: ['Approvals'],
    request: { params },
    responses: { 200: answer(approvable.view) },
  })
  const approve = createRoute({
    ...secured('approvals'),
    method: 'post',
    path: `${approvable.path}/approvals`,
    summary:
      'Send an approver’s signed decision. One rejection, or enough approvals by different people, are final',
    tags: ['Approvals'],
    request: { params, body: { required: true, content: { 'application/json': { schema: decision } } } },
    responses: { 201: answer(approvalView, 'Stored. Its subject moves on when there are enough approvals') },
  })

  app.openapi(readIntent, async (c) => {
    const row = await approvable.find(sql, c.get('merchantId'), c.req.valid('param').id)
    return c.json(
      success({ intent: mutable(row.intent) as z.infer<typeof payoutIntent>, intent_hash: row.intent_hash }),
      200,
    )
  })

  app.openapi(approve, async (c) => {
    const { id } = c.req.valid('param')
    const body = c.req.valid('json')
    const { approval, kept } = await inTransaction(sql, async (tx) => {
      const approval = await recordApproval(
        tx,
        {
          merchantId: c.get('merchantId'),
          subjectId: id,
          personId: c.get('personId'),
          approverId: body.approver_id,
          decision: body.decision,
          intentHash: body.intent_hash,
          signedAt: body.signed_at,
          signature: body.signature,
          reason: body.reason ?? null,
          actor: c.get('actor'),
        },
        approvable.lock,
      )
      return { approval, kept: await keepAnswer(c, tx, 201, success(view(approvable, id, approval))) }
    })
    approvable.startSoon(dependencies, id, async (handle) => {
      const { approver_id, person_id, decision, intent_hash, signed_at, signature } = approval
      await handle.signal('decide', { approver_id, person_id, decision, intent_hash, signed_at, signature })
      await markApprovalSignalled(sql, approval.id)
    })
    return c.json(kept, 201)
  })
}

function view({ lock }: Approvable, id: string, approval: StoredApproval): z.infer<typeof approvalView> {
  return {
    id: approval.id,
    subject_id: id,
    ...(lock === lockWithdrawalSubject ? { withdrawal_id: id } : {}),
    approver_id: approval.approver_id,
    person_id: approval.person_id,
    decision: approval.decision,
    intent_hash: approval.intent_hash,
    signed_at: approval.signed_at,
    signature: approval.signature,
    created_at: approval.created_at.toISOString(),
  }
}
