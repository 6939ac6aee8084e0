/** Sweeps up after crashes: starts workflows that rows lack, sends signals that were lost and deletes stale rows. */

import { purgeNonces } from '../../db/access/purge-nonces.js'
import { purgePreviousKeys } from '../../db/access/purge-previous-keys.js'
import { purgeRequests } from '../../db/access/purge-requests.js'
import { closeGoneCauses } from '../../db/books/exceptions/close-gone-causes.js'
import { purgeOrders } from '../../db/books/orders/purge-orders.js'
import { purgeRuns } from '../../db/books/reconciliation/purge-runs.js'
import { raiseOverdue } from '../../db/books/reconciliation/raise-overdue.js'
import { purgeCashierSessions } from '../../db/cashier/purge-sessions.js'
import { listResumed } from '../../db/controls/pauses/list-resumed.js'
import { settleReplays } from '../../db/events/replays/settle-replay.js'
import { resumeStalledDeliveries } from '../../db/events/webhooks/resume-stalled-deliveries.js'
import { purgeExports } from '../../db/exports/jobs/purge-exports.js'
import { watchWithdrawals } from '../../db/operations/alerts/watch-withdrawals.js'
import { measureWithdrawals } from '../../db/operations/measure-withdrawals.js'
import { purgeFailures } from '../../db/operations/sweep-failures.js'
import { wakeLatePayments } from '../../db/payments/pending-payments.js'
import { fillNonceGaps } from '../../db/payouts/attempts/fill-nonce-gaps.js'
import { passFurther } from '../../db/payouts/attempts/pass-further.js'
import { closePassed, passUnanswered } from '../../db/payouts/attempts/pass-unanswered.js'
import { markOfflineSigners } from '../../db/signing/mark-offline-signers.js'
import { dispatchPending } from '../chain/dispatch-pending.js'
import { repairSchedules } from './repair-schedules.js'
import {
  restartBatches,
  restartCircuits,
  restartConsolidations,
  restartControlChanges,
  restartDeposits,
  restartExports,
  restartFirings,
  restartReconciliations,
  restartReplays,
  restartRescans,
  restartWithdrawals,
} from './restart-workflows.js'
import { scheduleReconciliations } from './schedule-reconciliations.js'
import { signalAnswers, signalApprovals } from './signal-workflows.js'
import type { SweeperDependencies } from './sweeper-dependencies.js'
import { wakePayouts } from './wake-payouts.js'

/** Counts of what a sweep repaired. All are zero if nothing was broken. */
export interface Swept {
  readonly deposits: number
  readonly signals: number
  /** Payments whose timer was lost. */
  readonly payments: number
  readonly withdrawals: number
  /** Nonce gaps for which a filling transaction was requested. */
  readonly gaps: number
  readonly batches: number
  /** Control changes. */
  readonly changes: number
  readonly approvals: number
  /** Withdrawal schedules that were applied in Temporal, or that Temporal had lost. */
  readonly schedules: number
  /** Consolidations that were due. */
  readonly consolidations: number
  readonly deliveries: number
  /** Export jobs whose workflow was missing. Absent in histories before there were exports. */
  readonly exports?: number
  /** Runs of the reconciliation whose workflow was missing. Absent in histories before there were any. */
  readonly reconciliations?: number
  /** Rescans whose workflow was missing. Absent in histories before there were any. */
  readonly rescans?: number
  /** Circuits of webhook endpoints whose workflow was late. */
  readonly circuits: number
  /** Replays of webhooks whose workflow was late. */
  readonly replays: number
  /** Alerts that this sweep raised. */
  readonly alerts: number
  readonly signersOffline: number
}

/**
 * A delivery this late has lost its workflow. A shorter delay has another cause: its endpoint has many
 * attempts under way.
 */
const OVERDUE_INTERVALS = 4
const OVERDUE_MS = 3_600_000

export interface SweeperActivities {
  /** Sweeps once. It runs every part even if another fails, and then throws the first error. */
  sweep(): Promise<Swept>
}

/** Creates the activity of the workflow `sweeper`. */
export function createSweeperActivities(dependencies: SweeperDependencies): SweeperActivities {
  const { sql, networks, gate, log } = dependencies
  const { exportRetentionMs, reconciliationRetentionMs = 0 } = dependencies
  return {
    async sweep() {
      const failures: unknown[] = []
      const attempt = async (part: string, run: () => Promise<number>): Promise<number> => {
        try {
          return await run()
        } catch (error) {
          failures.push(error)
          log.warn({ err: error, part }, 'A part of the sweep failed; the next sweep tries again')
          return 0
        }
      }
      let deposits = 0
      let signals = 0
      const payments = await attempt('payments', () => wakeLatePayments(sql))
      for (const network of networks.values()) {
        await attempt('watchers', async () => {
          await gate.startChainWatcher({ network: network.name })
          return 0
        })
        await attempt('deposits', async () => {
          const again = new Date(Date.now() - dependencies.signalAgainAfterMs)
          const done = await dispatchPending(sql, network, gate, again)
          deposits += done.started
          signals += done.signalled
          return 0
        })
      }
      for (const network of networks.values()) {
        deposits += await attempt('lost deposits', () => restartDeposits(dependencies, network))
      }
      signals += await attempt('answers', () => signalAnswers(dependencies))
      await attempt('unanswered requests', () =>
        passUnanswered(sql, networks, dependencies.unansweredAfterMs),
      )
      await attempt('unanswered further attempts', () =>
        wakePayouts(dependencies, () => passFurther(sql, networks, dependencies.unansweredAfterMs)),
      )
      await attempt('passed requests', () => wakePayouts(dependencies, () => closePassed(sql, networks)))
      await attempt('resumed payouts', () => wakePayouts(dependencies, () => listResumed(sql)))
      const gaps = await attempt('nonce gaps', () =>
        fillNonceGaps(sql, networks, dependencies.nonceGapAfterMs),
      )
      const swept = {
        deposits,
        signals,
        payments,
        gaps,
        withdrawals: await attempt('withdrawals', () => restartWithdrawals(dependencies)),
        batches: await attempt('batches', () => restartBatches(dependencies)),
        changes: await attempt('changes', () => restartControlChanges(dependencies)),
        approvals: await attempt('approvals', () => signalApprovals(dependencies)),
        schedules:
          (await attempt('schedules', () => repairSchedules(dependencies))) +
          (await attempt('firings', () => restartFirings(dependencies))) +
          (await attempt('reconciliation schedules', () => scheduleReconciliations(dependencies))),
        consolidations: await attempt('consolidations', () => restartConsolidations(dependencies)),
        deliveries: await attempt('deliveries', () =>
          resumeStalledDeliveries(
            sql,
            Math.max(OVERDUE_MS, OVERDUE_INTERVALS * dependencies.webhookRetryIntervalMs),
            dependencies.webhookRetryWindowMs,
          ),
        ),
        exports: await attempt('exports', () => restartExports(dependencies)),
        reconciliations: await attempt('reconciliations', () => restartReconciliations(dependencies)),
        rescans: await attempt('rescans', () => restartRescans(dependencies)),
        circuits: await attempt('circuits', () => restartCircuits(dependencies)),
        replays: await attempt('replays', () => restartReplays(dependencies)),
        alerts: await attempt('alerts', async () => {
          const ended = await measureWithdrawals(sql)
          return dependencies.alerts ? watchWithdrawals(sql, networks, dependencies.alerts, ended) : 0
        }),
        signersOffline: await attempt(
          'signers',
          async () => (await markOfflineSigners(sql, dependencies.signerOfflineAfterMs)).length,
        ),
      }
      await attempt('failures', async () => {
        await purgeFailures(sql)
        return 0
      })
      await attempt('exceptions', () => closeGoneCauses(sql))
      await attempt('overdue payments', () => raiseOverdue(sql, networks))
      await attempt('results of replays', () => settleReplays(sql))
      await attempt('nonces', () => purgeNonces(sql))
      await attempt('replaced keys', () => purgePreviousKeys(sql))
      if (exportRetentionMs !== undefined) {
        await attempt('files of exports', () => purgeExports(sql, exportRetentionMs))
      }
      await attempt('cashier sessions', () => purgeCashierSessions(sql))
      await attempt('idempotency keys', () => purgeRequests(sql, dependencies.idempotencyWindowMs))
      // Last, because they may take some seconds each.
      if (reconciliationRetentionMs > 0) {
        await attempt('old runs', () => purgeRuns(sql, reconciliationRetentionMs))
        await attempt('old orders', () => purgeOrders(sql, reconciliationRetentionMs))
      }
      if (failures.length > 0) throw failures[0]
      return swept
    },
  }
}
