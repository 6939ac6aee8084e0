/** Routes of approvals: the intent of each resource that needs approval, and each person's signed decision. */

import { createRoute, z } from '@hono/zod-openapi'
import type { WorkflowHandle } from '@temporalio/client'
import { findResolution, lockResolutionSubject } from '../../db/books/exceptions/propose-resolution.js'
import { findPeriodChange, lockPeriodSubject } from '../../db/books/periods/find-period-change.js'
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
import type { AnyIntent } from '../../domain/controls/intent.js'
import { Approval, ApprovalDecision } from '../../wire/approval.js'
import {
  BatchIntentAnswer,
  MovementIntentAnswer,
  PeriodIntentAnswer,
  PolicyIntentAnswer,
  ReleaseIntentAnswer,
  ResolutionIntentAnswer,
  SettlementResumeIntentAnswer,
  WhitelistIntentAnswer,
  WithdrawalIntentAnswer,
} from '../../wire/intent.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, success } from '../http/answer.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { startBatchSoon } from '../start/start-batch-soon.js'
import { startControlChangeSoon } from '../start/start-control-change-soon.js'
import { startWithdrawalSoon } from '../start/start-withdrawal-soon.js'

/** One kind of resource that people decide about. */
interface Approvable {
  /** Path of the resource, with `{id}` or another `name` of its key. */
  readonly path: string
  /** Name of the key in the path. Default: `id`. */
  readonly name?: string
  readonly view: typeof WithdrawalIntentAnswer
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
    view: WithdrawalIntentAnswer,
    find: findWithdrawal,
    lock: lockWithdrawalSubject,
    startSoon: startWithdrawalSoon,
  },
  {
    path: '/movements/{id}',
    view: MovementIntentAnswer,
    find: findMovement,
    lock: lockMovementSubject,
    startSoon: startWithdrawalSoon,
  },
  {
    path: '/batches/{id}',
    view: BatchIntentAnswer,
    find: findBatch,
    lock: lockBatchSubject,
    startSoon: startBatchSoon,
  },
  { path: '/policy/changes/{id}', view: PolicyIntentAnswer, ...change('policy') },
  {
    path: '/whitelist/addresses/{id}',
    view: WhitelistIntentAnswer,
    ...change('whitelist'),
  },
  {
    path: '/deposits/releases/{id}',
    view: ReleaseIntentAnswer,
    ...change('deposit_release'),
  },
  {
    path: '/settlement/resumptions/{id}',
    view: SettlementResumeIntentAnswer,
    ...change('settlement_resume'),
  },
  {
    path: '/exceptions/{id}',
    view: ResolutionIntentAnswer,
    find: findResolution,
    lock: lockResolutionSubject,
    startSoon: startControlChangeSoon,
  },
  {
    path: '/periods/{period}',
    name: 'period',
    view: PeriodIntentAnswer,
    find: findPeriodChange,
    lock: lockPeriodSubject,
    startSoon: startControlChangeSoon,
  },
]

/** Registers `/intent` and `/approvals` under every resource that needs approval. */
export function registerApprovalRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  for (const approvable of APPROVABLES) register(app, dependencies, approvable)
}

function register(app: ApiApp, dependencies: ApiDependencies, approvable: Approvable): void {
  const { sql } = dependencies
  const { name = 'id' } = approvable
  const params = z.object({ [name]: z.string().max(255) })
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
    request: {
      params,
      body: { required: true, content: { 'application/json': { schema: ApprovalDecision } } },
    },
    responses: { 201: answer(Approval, 'Stored. Its subject moves on when there are enough approvals') },
  })

  app.openapi(readIntent, async (c) => {
    const row = await approvable.find(sql, c.get('merchantId'), keyOf(c.req.valid('param'), name))
    return c.json(success({ intent: row.intent, intent_hash: row.intent_hash }), 200)
  })

  app.openapi(approve, async (c) => {
    const key = keyOf(c.req.valid('param'), name)
    const body = c.req.valid('json')
    const { approval, kept } = await inTransaction(sql, async (tx) => {
      const approval = await recordApproval(
        tx,
        {
          merchantId: c.get('merchantId'),
          subjectId: key,
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
      return { approval, kept: await keepAnswer(c, tx, 201, success(view(approvable, approval))) }
    })
    approvable.startSoon(dependencies, approval.subject_id, async (handle) => {
      const { approver_id, person_id, decision, intent_hash, signed_at, signature } = approval
      await handle.signal('decide', { approver_id, person_id, decision, intent_hash, signed_at, signature })
      await markApprovalSignalled(sql, approval.id)
    })
    return c.json(kept, 201)
  })
}

function keyOf(params: Readonly<Record<string, string>>, name: string): string {
  return params[name] ?? ''
}

function view({ lock }: Approvable, approval: StoredApproval): Approval {
  return {
    id: approval.id,
    subject_id: approval.subject_id,
    ...(lock === lockWithdrawalSubject ? { withdrawal_id: approval.subject_id } : {}),
    approver_id: approval.approver_id,
    person_id: approval.person_id,
    decision: approval.decision,
    intent_hash: approval.intent_hash,
    signed_at: approval.signed_at,
    signature: approval.signature,
    created_at: approval.created_at.toISOString(),
  }
}
