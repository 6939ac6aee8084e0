/** What the sweeper does: whatever has a row and no workflow gets one, whatever was not signalled is signalled, the stale is deleted. */

import { purgeNonces } from '../../db/access/purge-nonces.js'
import { purgeRequests } from '../../db/access/purge-requests.js'
import type { Sql } from '../../db/connect.js'
import type { ApprovalSubjectType } from '../../db/controls/approvals/approval-subject.js'
import { markApprovalSignalled } from '../../db/controls/approvals/mark-approval-signalled.js'
import { unsignalledApprovals } from '../../db/controls/approvals/unsignalled-approvals.js'
import {
  markControlChangeStarted,
  toControlChangeStart,
  unstartedControlChanges,
} from '../../db/controls/changes/control-change-start.js'
import { markDepositSeen, unseenDeposits } from '../../db/deposits/pending-signals.js'
import { resumeStalledDeliveries } from '../../db/events/webhooks/resume-stalled-deliveries.js'
import { type AlertSettings, watchWithdrawals } from '../../db/operations/alerts/watch-withdrawals.js'
import { measureWithdrawals } from '../../db/operations/measure-withdrawals.js'
import { purgeFailures } from '../../db/operations/sweep-failures.js'
import { fillNonceGaps } from '../../db/payouts/attempts/fill-nonce-gaps.js'
import { passFurther } from '../../db/payouts/attempts/pass-further.js'
import { closePassed, passUnanswered } from '../../db/payouts/attempts/pass-unanswered.js'
import { markBatchStarted, toBatchStart, unstartedBatches } from '../../db/payouts/batches/batch-start.js'
import { markWithdrawalStarted } from '../../db/payouts/mark-withdrawal-started.js'
import { takeDueConsolidations } from '../../db/payouts/movements/consolidation-due.js'
import { toWithdrawalStart } from '../../db/payouts/read-withdrawal-input.js'
import { unfiredTimes } from '../../db/payouts/schedules/unfired-times.js'
import { unstartedWithdrawals } from '../../db/payouts/unstarted-withdrawals.js'
import { markOfflineSigners } from '../../db/signing/mark-offline-signers.js'
import { unheardAnswers } from '../../db/signing/unheard-answers.js'
import type { Network, Networks } from '../../domain/chain/network.js'
import type { Logger } from '../../telemetry/logger.js'
import { batchId, controlChangeId, withdrawalId } from '../../temporal/ids.js'
import type {
  ConsolidationGate,
  ControlChangeGate,
  ScheduleGate,
  WorkflowGate,
} from '../../temporal/workflow-gate.js'
import { dispatchPending } from '../chain/dispatch-pending.js'
import { repairSchedules } from './repair-schedules.js'
import { sweepEach } from './sweep-each.js'
import { tryEach } from './try-each.js'

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
  /** Milliseconds without a move after which the workflow of a row is looked for, and started where it is gone. Default: 5 minutes. */
  readonly unseenMs?: number
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

/** Long for a step, short for a person who waits: a look at a workflow that runs costs one call. */
const UNSEEN_MS = 300_000
/** Calls to Temporal under way at a time. */
const CONCURRENCY = 16
/** An attempt may be late when its endpoint has much under way; so late that its workflow must be gone. */
const OVERDUE_INTERVALS = 4
const OVERDUE_MS = 3_600_000
/** For so long a firing whose workflow was cut short is made up for. */
const LOST_FIRING_MS = 86_400_000

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
      for (const network of networks.values()) {
        deposits += await attempt('lost deposits', () => restartDeposits(deps, network))
      }
      signals += await attempt('answers', () => signalAnswers(deps))
      await attempt('unanswered requests', () => passUnanswered(sql, networks, deps.unansweredAfterMs))
      await attempt('unanswered further attempts', () =>
        wakeAll(deps, () => passFurther(sql, networks, deps.unansweredAfterMs)),
      )
      await attempt('passed requests', () => wakeAll(deps, () => closePassed(sql, networks)))
      const gaps = await attempt('nonce gaps', () => fillNonceGaps(sql, networks, deps.nonceGapAfterMs))
      const swept = {
        deposits,
        signals,
        gaps,
        withdrawals: await attempt('withdrawals', () => startWithdrawals(deps)),
        batches: await attempt('batches', () => startBatches(deps)),
        changes: await attempt('changes', () => startControlChanges(deps)),
        approvals: await attempt('approvals', () => signalApprovals(deps)),
        schedules:
          (await attempt('schedules', () => repairSchedules(deps))) +
          (await attempt('firings', () => restartFirings(deps))),
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
      await attempt('failures', async () => {
        await purgeFailures(sql)
        return 0
      })
      await attempt('nonces', () => purgeNonces(sql))
      await attempt('idempotency keys', () => purgeRequests(sql, deps.idempotencyWindowMs))
      if (failures.length > 0) throw failures[0]
      return swept
    },
  }
}

/** Wakes the payments that a step has changed. */
async function wakeAll({ gate }: SweeperDeps, step: () => Promise<readonly string[]>): Promise<number> {
  const ids = await step()
  // A signal that is lost is made up for: the workflow looks at its row by itself.
  const { outage } = await tryEach(ids, CONCURRENCY, (id) => gate.signal(withdrawalId(id), 'wake'))
  if (outage !== null) throw outage
  return ids.length
}

/** @param deps - `unseenMs` without a move, and the workflow of a deposit is looked for. */
async function restartDeposits(deps: SweeperDeps, network: Network): Promise<number> {
  const unseen = await unseenDeposits(deps.sql, network, deps.unseenMs ?? UNSEEN_MS)
  return sweepEach(deps, 'deposits', unseen, CONCURRENCY, async ({ id, input }) => {
    const started = await deps.gate.startDeposit(input)
    await markDepositSeen(deps.sql, id)
    return started
  })
}

async function startWithdrawals(deps: SweeperDeps): Promise<number> {
  const { sql, networks, gate } = deps
  const rows = await unstartedWithdrawals(sql, deps.graceMs, deps.unseenMs ?? UNSEEN_MS)
  return sweepEach(deps, 'withdrawals', rows.map(toSwept), CONCURRENCY, async ({ id, row }) => {
    const started = await gate.startWithdrawal(toWithdrawalStart(networks, row))
    await markWithdrawalStarted(sql, id)
    return started
  })
}

/** Lost with the process that credited the deposit, or put off until now; a running one only looks again. */
async function startConsolidations(deps: SweeperDeps): Promise<number> {
  const due = await takeDueConsolidations(deps.sql, deps.graceMs)
  return sweepEach(deps, 'consolidations', due, CONCURRENCY, async (input) => {
    await deps.gate.startConsolidation(input)
    return true
  })
}

async function startBatches(deps: SweeperDeps): Promise<number> {
  const { sql, networks, gate } = deps
  const rows = await unstartedBatches(sql, deps.graceMs, deps.unseenMs ?? UNSEEN_MS)
  return sweepEach(deps, 'batches', rows.map(toSwept), CONCURRENCY, async ({ id, row }) => {
    const started = await gate.startBatch(toBatchStart(networks, row))
    await markBatchStarted(sql, id)
    return started
  })
}

async function startControlChanges(deps: SweeperDeps): Promise<number> {
  const { sql, gate } = deps
  const rows = await unstartedControlChanges(sql, deps.graceMs, deps.unseenMs ?? UNSEEN_MS)
  return sweepEach(deps, 'control changes', rows.map(toSwept), CONCURRENCY, async ({ id, row }) => {
    const started = await gate.startControlChange(toControlChangeStart(row))
    await markControlChangeStarted(sql, id)
    return started
  })
}

function toSwept<R extends { readonly id: string; readonly merchant_id: string }>(row: R) {
  return { id: row.id, merchantId: row.merchant_id, row }
}

async function signalApprovals(deps: SweeperDeps): Promise<number> {
  const { sql, gate, graceMs } = deps
  const pending = await unsignalledApprovals(sql, graceMs)
  return sweepEach(deps, 'approvals', pending, CONCURRENCY, async (each) => {
    // A workflow that is closed has nothing left to decide; one that is started again reads what is stored.
    await gate.signal(workflowOf(each.subjectType, each.subjectId), 'decide', each.approval)
    await markApprovalSignalled(sql, each.id)
    return true
  })
}

function workflowOf(type: ApprovalSubjectType, id: string): string {
  if (type === 'withdrawal' || type === 'movement') return withdrawalId(id)
  return type === 'batch' ? batchId(id) : controlChangeId(type, id)
}

async function signalAnswers(deps: SweeperDeps): Promise<number> {
  const waiting = await unheardAnswers(deps.sql, deps.graceMs)
  return sweepEach(deps, 'answers', waiting, CONCURRENCY, async ({ id }) => {
    await deps.gate.signal(withdrawalId(id), 'answered')
    return true
  })
}

/** What an operator terminated, or a server lost, fires all the same: its time is its key, so it fires once. */
async function restartFirings(deps: SweeperDeps): Promise<number> {
  const { sql, schedules } = deps
  if (!schedules) return 0
  const lost = await schedules.listLostFirings(new Date(Date.now() - LOST_FIRING_MS))
  const unfired = (await unfiredTimes(sql, lost)).map((firing) => ({ ...firing, id: firing.scheduleId }))
  return sweepEach(deps, 'firings', unfired, CONCURRENCY, (firing) =>
    schedules.restartFiring(firing, firing.merchantId),
  )
}
