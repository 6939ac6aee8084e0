/** What the sweeper does: whatever has a row and no workflow gets one, whatever was not signalled is signalled, the stale is deleted. */

import { type AlertSettings, watchWithdrawals } from '../db/alerts/watch-withdrawals.js'
import { purgeNonces } from '../db/api-keys/purge-nonces.js'
import type { ApprovalSubjectType } from '../db/approvals/approval-subject.js'
import { markApprovalSignalled } from '../db/approvals/mark-approval-signalled.js'
import { unsignalledApprovals } from '../db/approvals/unsignalled-approvals.js'
import { markBatchStarted, unstartedBatches } from '../db/batches/batch-start.js'
import type { Sql } from '../db/connect.js'
import {
  markControlChangeStarted,
  unstartedControlChanges,
} from '../db/control-changes/control-change-start.js'
import { purgeRequests } from '../db/idempotency/purge-requests.js'
import { measureWithdrawals } from '../db/operations/measure-withdrawals.js'
import { fillNonceGaps } from '../db/signing/fill-nonce-gaps.js'
import { markOfflineSigners } from '../db/signing/mark-offline-signers.js'
import { closePassed, passUnanswered } from '../db/signing/pass-unanswered.js'
import { unheardAnswers } from '../db/signing/unheard-answers.js'
import { takeDueConsolidations } from '../db/treasury/consolidation-due.js'
import { resumeStalledDeliveries } from '../db/webhooks/resume-stalled-deliveries.js'
import { markWithdrawalStarted } from '../db/withdrawals/mark-withdrawal-started.js'
import { unstartedWithdrawals } from '../db/withdrawals/unstarted-withdrawals.js'
import type { Networks } from '../domain/network.js'
import { batchId, controlChangeId, withdrawalId } from '../workflows/ids.js'
import { dispatchPending } from './chain/dispatch-pending.js'
import type { Logger } from './logger.js'
import { mapConcurrently } from './map-concurrently.js'
import { repairSchedules } from './repair-schedules.js'
import type { ConsolidationGate, ControlChangeGate, ScheduleGate, WorkflowGate } from './workflow-gate.js'

export interface SweeperDeps {
  readonly sql: Sql
  readonly networks: Networks
  readonly gate: WorkflowGate & ControlChangeGate & ConsolidationGate
  /** Temporal's Schedules; absent where a test has none. */
  readonly schedules?: ScheduleGate
  /** What is worth an alert; absent where a test wants none. */
  readonly alerts?: AlertSettings
  readonly log: Logger
  /** Milliseconds after which a signal that changed nothing is sent again. */
  readonly signalAgainAfterMs: number
  /** Milliseconds that a row may wait before the sweeper takes it up, so that it does not race the API. */
  readonly graceMs: number
  /** `KEYTURN_SIGNER_OFFLINE_AFTER`, in milliseconds. */
  readonly signerOfflineAfterMs: number
  /** `KEYTURN_IDEMPOTENCY_WINDOW`, in milliseconds. */
  readonly idempotencyWindowMs: number
  /** `KEYTURN_NONCE_GAP_AFTER`, in milliseconds. */
  readonly nonceGapAfterMs: number
  /** `KEYTURN_UNANSWERED_AFTER`, in milliseconds. */
  readonly unansweredAfterMs: number
  /** `KEYTURN_WEBHOOK_RETRY_INTERVAL`, in milliseconds. */
  readonly webhookRetryIntervalMs: number
}

/** What a sweep repaired; all zero when nothing was broken. */
export interface Swept {
  readonly deposits: number
  readonly signals: number
  readonly withdrawals: number
  /** Nonce gaps for which a filling transaction was asked. */
  readonly gaps: number
  readonly batches: number
  /** Changes of policies and whitelists. */
  readonly changes: number
  readonly approvals: number
  /** Withdrawal schedules that Temporal was told of, or that it had lost. */
  readonly schedules: number
  /** Deposit addresses whose consolidation was due. */
  readonly consolidations: number
  readonly deliveries: number
  /** Alerts that were raised now. */
  readonly alerts: number
  readonly signersOffline: number
}

/** Calls to Temporal under way at a time. */
const CONCURRENCY = 16
/** An attempt may be late when its endpoint has much under way; so late that its workflow must be gone. */
const OVERDUE_INTERVALS = 4
const OVERDUE_MS = 3_600_000

export type SweeperActivities = ReturnType<typeof createSweeperActivities>

/** What the workflow `sweeper` asks the world to do. */
export function createSweeperActivities(deps: SweeperDeps) {
  const { sql, networks, gate, log } = deps
  return {
    /** Sweeps once. Each part is tried whatever became of the others. @throws After all, when one failed. */
    async sweep(): Promise<Swept> {
      const failures: unknown[] = []
      const attempt = async (part: string, run: () => Promise<number>): Promise<number> => {
        try {
          return await run()
        } catch (error) {
          failures.push(error)
          log.warn({ err: error, part }, 'A part of the sweep failed; the next one tries again')
          return 0
        }
      }
      let deposits = 0
      let signals = 0
      for (const network of networks.values()) {
        await attempt('watchers', async () => {
          await gate.startChainWatcher({ network: network.name })
          return 0
        })
        await attempt('deposits', async () => {
          const again = new Date(Date.now() - deps.signalAgainAfterMs)
          const done = await dispatchPending(sql, network, gate, again)
          deposits += done.started
          signals += done.signalled
          return 0
        })
      }
      signals += await attempt('answers', () => signalAnswers(deps))
      await attempt('unanswered requests', () => goRoundUnanswered(deps))
      const gaps = await attempt('nonce gaps', () => fillNonceGaps(sql, networks, deps.nonceGapAfterMs))
      const swept = {
        deposits,
        signals,
        gaps,
        withdrawals: await attempt('withdrawals', () => startWithdrawals(deps)),
        batches: await attempt('batches', () => startBatches(deps)),
        changes: await attempt('changes', () => startControlChanges(deps)),
        approvals: await attempt('approvals', () => signalApprovals(deps)),
        schedules: await attempt('schedules', () => repairSchedules(deps)),
        consolidations: await attempt('consolidations', () => startConsolidations(deps)),
        deliveries: await attempt('deliveries', () =>
          resumeStalledDeliveries(sql, Math.max(OVERDUE_MS, OVERDUE_INTERVALS * deps.webhookRetryIntervalMs)),
        ),
        alerts: await attempt('alerts', async () => {
          const ended = await measureWithdrawals(sql)
          return deps.alerts ? watchWithdrawals(sql, networks, deps.alerts, ended) : 0
        }),
        signersOffline: await attempt(
          'signers',
          async () => (await markOfflineSigners(sql, deps.signerOfflineAfterMs)).length,
        ),
      }
      await attempt('nonces', () => purgeNonces(sql))
      await attempt('idempotency keys', () => purgeRequests(sql, deps.idempotencyWindowMs))
      if (failures.length > 0) throw failures[0]
      return swept
    },
  }
}

/** A signer that does not answer one request holds up neither its wallet nor, for ever, the payment. */
async function goRoundUnanswered({ sql, networks, gate, unansweredAfterMs }: SweeperDeps): Promise<number> {
  const passed = await passUnanswered(sql, networks, unansweredAfterMs)
  const closed = await closePassed(sql, networks)
  await mapConcurrently(closed, CONCURRENCY, (id) => gate.signal(withdrawalId(id), 'wake'))
  return passed + closed.length
}

async function startWithdrawals({ sql, networks, gate, graceMs }: SweeperDeps): Promise<number> {
  const pending = await unstartedWithdrawals(sql, networks, graceMs)
  await mapConcurrently(pending, CONCURRENCY, async (input) => {
    await gate.startWithdrawal(input)
    await markWithdrawalStarted(sql, input.id)
  })
  return pending.length
}

/** Lost with the process that credited the deposit, or put off until now; a running one only looks again. */
async function startConsolidations({ sql, gate, graceMs }: SweeperDeps): Promise<number> {
  const due = await takeDueConsolidations(sql, graceMs)
  await mapConcurrently(due, CONCURRENCY, (input) => gate.startConsolidation(input))
  return due.length
}

async function startBatches({ sql, networks, gate, graceMs }: SweeperDeps): Promise<number> {
  const pending = await unstartedBatches(sql, networks, graceMs)
  await mapConcurrently(pending, CONCURRENCY, async (input) => {
    await gate.startBatch(input)
    await markBatchStarted(sql, input.id)
  })
  return pending.length
}

async function startControlChanges({ sql, gate, graceMs }: SweeperDeps): Promise<number> {
  const pending = await unstartedControlChanges(sql, graceMs)
  await mapConcurrently(pending, CONCURRENCY, async (input) => {
    await gate.startControlChange(input)
    await markControlChangeStarted(sql, input.id)
  })
  return pending.length
}

async function signalApprovals({ sql, gate, graceMs }: SweeperDeps): Promise<number> {
  const pending = await unsignalledApprovals(sql, graceMs)
  await mapConcurrently(pending, CONCURRENCY, async ({ id, subjectType, subjectId, approval }) => {
    // A workflow that is closed has nothing left to decide.
    await gate.signal(workflowOf(subjectType, subjectId), 'decide', approval)
    await markApprovalSignalled(sql, id)
  })
  return pending.length
}

function workflowOf(type: ApprovalSubjectType, id: string): string {
  if (type === 'withdrawal' || type === 'movement') return withdrawalId(id)
  return type === 'batch' ? batchId(id) : controlChangeId(type, id)
}

async function signalAnswers({ sql, gate, graceMs }: SweeperDeps): Promise<number> {
  const waiting = await unheardAnswers(sql, graceMs)
  await mapConcurrently(waiting, CONCURRENCY, (id) => gate.signal(withdrawalId(id), 'answered'))
  return waiting.length
}
