/** Starts the workflow of each row that has none: the API died before the start, or the workflow was lost. */

import { markRunStarted, unstartedRuns } from '../../db/books/reconciliation/run-start.js'
import { markRescanStarted, unstartedRescans } from '../../db/chain/rescans/rescan-start.js'
import {
  markControlChangeStarted,
  toControlChangeStart,
  unstartedControlChanges,
} from '../../db/controls/changes/control-change-start.js'
import { markDepositSeen, unseenDeposits } from '../../db/deposits/pending-signals.js'
import { lateReplays } from '../../db/events/replays/late-replays.js'
import { lateCircuits } from '../../db/events/webhooks/circuit-waiters.js'
import { markExportStarted, unstartedExports } from '../../db/exports/jobs/job-start.js'
import { markBatchStarted, toBatchStart, unstartedBatches } from '../../db/payouts/batches/batch-start.js'
import { markWithdrawalStarted } from '../../db/payouts/mark-withdrawal-started.js'
import { takeDueConsolidations } from '../../db/payouts/movements/consolidation-due.js'
import { toWithdrawalStart } from '../../db/payouts/read-withdrawal-input.js'
import { unfiredTimes } from '../../db/payouts/schedules/unfired-times.js'
import { unstartedWithdrawals } from '../../db/payouts/unstarted-withdrawals.js'
import type { Network } from '../../domain/chain/network.js'
import { type SweptRow, sweepEach } from './sweep-each.js'
import { SWEEP_CONCURRENCY, type SweeperDependencies } from './sweeper-dependencies.js'

/** Long for a step, short for a person who waits. Checking a workflow that runs costs one call. */
const UNSEEN_MS = 300_000
/** Time for which an interrupted firing is still made up for. */
const LOST_FIRING_MS = 86_400_000

/** One kind of row whose workflow the sweeper restarts. */
interface Restart<Row extends SweptRow> {
  /** Name in logs and alerts, e.g. `withdrawals`. */
  readonly part: string
  readonly rows: readonly Row[]
  /** Starts the workflow of a row, or finds it. Returns whether this call started it. */
  readonly start: (row: Row) => Promise<boolean>
  /** Records on the row that its workflow was started or found. */
  readonly mark?: (id: string) => Promise<unknown>
}

/** Restarts the workflows of rows. @returns How many were started now. */
function restart<Row extends SweptRow>(
  dependencies: SweeperDependencies,
  { part, rows, start, mark }: Restart<Row>,
): Promise<number> {
  return sweepEach(dependencies, part, rows, SWEEP_CONCURRENCY, async (row) => {
    const started = await start(row)
    await mark?.(row.id)
    return started
  })
}

/** Restarts deposits of a network that did not move for `unseenMs` and whose workflow is gone. */
export async function restartDeposits(dependencies: SweeperDependencies, network: Network): Promise<number> {
  const { sql, gate, unseenMs = UNSEEN_MS } = dependencies
  return restart(dependencies, {
    part: 'deposits',
    rows: await unseenDeposits(sql, network, unseenMs),
    start: ({ input }) => gate.startDeposit(input),
    mark: (id) => markDepositSeen(sql, id),
  })
}

/** Restarts payouts of every kind. */
export async function restartWithdrawals(dependencies: SweeperDependencies): Promise<number> {
  const { sql, networks, gate, graceMs, unseenMs = UNSEEN_MS } = dependencies
  return restart(dependencies, {
    part: 'withdrawals',
    rows: (await unstartedWithdrawals(sql, graceMs, unseenMs)).map(toSwept),
    start: ({ row }) => gate.startWithdrawal(toWithdrawalStart(networks, row)),
    mark: (id) => markWithdrawalStarted(sql, id),
  })
}

/** Restarts export jobs. */
export async function restartExports(dependencies: SweeperDependencies): Promise<number> {
  const { sql, gate, graceMs, unseenMs = UNSEEN_MS } = dependencies
  return restart(dependencies, {
    part: 'exports',
    rows: await unstartedExports(sql, graceMs, unseenMs),
    start: (input) => gate.startExport(input),
    mark: (id) => markExportStarted(sql, id),
  })
}

/** Restarts runs of the reconciliation. */
export async function restartReconciliations(dependencies: SweeperDependencies): Promise<number> {
  const { sql, gate, graceMs, unseenMs = UNSEEN_MS } = dependencies
  return restart(dependencies, {
    part: 'reconciliations',
    rows: await unstartedRuns(sql, graceMs, unseenMs),
    start: (input) => gate.startReconciliationRun(input),
    mark: (id) => markRunStarted(sql, id),
  })
}

/** Restarts rescans. */
export async function restartRescans(dependencies: SweeperDependencies): Promise<number> {
  const { sql, gate, graceMs, unseenMs = UNSEEN_MS } = dependencies
  return restart(dependencies, {
    part: 'rescans',
    rows: await unstartedRescans(sql, graceMs, unseenMs),
    start: (input) => gate.startRescan(input),
    mark: (id) => markRescanStarted(sql, id),
  })
}

/** Restarts batches. */
export async function restartBatches(dependencies: SweeperDependencies): Promise<number> {
  const { sql, networks, gate, graceMs, unseenMs = UNSEEN_MS } = dependencies
  return restart(dependencies, {
    part: 'batches',
    rows: (await unstartedBatches(sql, graceMs, unseenMs)).map(toSwept),
    start: ({ row }) => gate.startBatch(toBatchStart(networks, row)),
    mark: (id) => markBatchStarted(sql, id),
  })
}

/** Restarts control changes. */
export async function restartControlChanges(dependencies: SweeperDependencies): Promise<number> {
  const { sql, gate, graceMs, unseenMs = UNSEEN_MS } = dependencies
  return restart(dependencies, {
    part: 'control changes',
    rows: (await unstartedControlChanges(sql, graceMs, unseenMs)).map(toSwept),
    start: ({ row }) => gate.startControlChange(toControlChangeStart(row)),
    mark: (id) => markControlChangeStarted(sql, id),
  })
}

/** Starts due consolidations: those put off until now, and those lost with the process that credited the deposit. */
export async function restartConsolidations(dependencies: SweeperDependencies): Promise<number> {
  const { sql, gate, graceMs } = dependencies
  return restart(dependencies, {
    part: 'consolidations',
    rows: await takeDueConsolidations(sql, graceMs),
    start: async (input) => {
      await gate.startConsolidation(input)
      return true
    },
  })
}

/** Time for which the workflow of a circuit may be late, because other work keeps its worker busy. */
const LATE_CIRCUIT_MS = 60_000
const LATE_CIRCUITS = 200

/** Restarts the workflows of circuits that are late, and signals those that run after all. */
export async function restartCircuits(dependencies: SweeperDependencies): Promise<number> {
  const { sql, gate, unseenMs = LATE_CIRCUIT_MS } = dependencies
  return restart(dependencies, {
    part: 'circuits',
    rows: await lateCircuits(sql, Math.min(unseenMs, LATE_CIRCUIT_MS), LATE_CIRCUITS),
    start: async (endpoint) => {
      await gate.startWebhookCircuit(endpoint)
      return true
    },
  })
}

/** A replay this late has lost its workflow, which reads the row at least once a minute. */
const LATE_REPLAY_MS = 180_000
const LATE_REPLAYS = 200

/** Restarts the workflows of replays that are late. */
export async function restartReplays(dependencies: SweeperDependencies): Promise<number> {
  const { sql, gate, unseenMs = LATE_REPLAY_MS } = dependencies
  return restart(dependencies, {
    part: 'replays',
    rows: await lateReplays(sql, Math.min(unseenMs, LATE_REPLAY_MS), LATE_REPLAYS),
    start: async (replay) => {
      await gate.startWebhookReplay(replay)
      return true
    },
  })
}

/** Restarts interrupted firings of schedules. A firing's time is its key, so it fires once. */
export async function restartFirings(dependencies: SweeperDependencies): Promise<number> {
  const { sql, schedules } = dependencies
  if (!schedules) return 0
  const lost = await schedules.listLostFirings(new Date(Date.now() - LOST_FIRING_MS))
  return restart(dependencies, {
    part: 'firings',
    rows: (await unfiredTimes(sql, lost)).map((firing) => ({ ...firing, id: firing.scheduleId })),
    start: (firing) => schedules.restartFiring(firing, firing.merchantId),
  })
}

function toSwept<R extends { readonly id: string; readonly merchant_id: string }>(row: R) {
  return { id: row.id, merchantId: row.merchant_id, row }
}
