/** Gives activities access to other workflows: they start them from a row and signal them by id. */

import { type ScheduleClient, type WorkflowClient, WorkflowNotFoundError } from '@temporalio/client'
import { applyReconciliationSchedule } from './apply-reconciliation-schedule.js'
import { type AppliedSchedule, applySchedule, readMissed } from './apply-schedule.js'
import type {
  BatchInput,
  ChainWatcherInput,
  ConsolidationInput,
  ControlChangeInput,
  DepositInput,
  ExportInput,
  PaymentInput,
  ReconciliationInput,
  RescanInput,
  WithdrawalInput,
} from './inputs.js'
import { type LostFiring, listLostFirings, restartFiring } from './lost-firings.js'
import {
  startBatch,
  startChainWatcher,
  startConsolidation,
  startControlChange,
  startDeposit,
  startExport,
  startReconciliationRun,
  startRescan,
  startWebhookCircuit,
  startWebhookReplay,
  startWithdrawal,
  wakePayment,
} from './start.js'

export interface WorkflowGate {
  /** Starts the workflow of a deposit, or finds it running. @returns Whether this call started it. */
  startDeposit(input: DepositInput): Promise<boolean>
  /**
   * Starts the workflow of a payout, or finds it, running or closed.
   *
   * @returns Whether this call started it.
   */
  startWithdrawal(input: WithdrawalInput): Promise<boolean>
  /** Starts the workflow of an open payment, or signals a running one that the row has changed. */
  wakePayment(payment: { readonly input: PaymentInput; readonly open: boolean }): Promise<void>
  /** Starts the watcher of a chain, or finds it running. */
  startChainWatcher(input: ChainWatcherInput): Promise<void>
  /** Signals a workflow. @returns `false` if no workflow with this id is running. */
  signal(workflowId: string, signal: string, ...args: unknown[]): Promise<boolean>
}

/** Access to consolidations for deposits, the sweeper and the rebalancer. */
export interface ConsolidationGate {
  /** Starts the workflow of a consolidation, or signals a running one to check again. */
  startConsolidation(input: ConsolidationInput): Promise<void>
}

/** Access to batches and control changes, for the sweeper alone. */
export interface ControlChangeGate {
  /**
   * Starts the workflow of a batch, or finds it, running or closed.
   *
   * @returns Whether this call started it.
   */
  startBatch(input: BatchInput): Promise<boolean>
  /**
   * Starts the workflow of a control change, or finds it, running or closed.
   *
   * @returns Whether this call started it.
   */
  startControlChange(input: ControlChangeInput): Promise<boolean>
}

/** Access to export jobs, for the sweeper alone. */
export interface ExportGate {
  /**
   * Starts the workflow of an export job, or finds it, running or closed.
   *
   * @returns Whether this call started it.
   */
  startExport(input: ExportInput): Promise<boolean>
}

/** Access to reconciliations, for the sweeper and what starts them. */
export interface ReconciliationGate {
  /**
   * Starts the workflow of a run of the reconciliation, or finds it, running or closed.
   *
   * @returns Whether this call started it.
   */
  startReconciliationRun(input: ReconciliationInput): Promise<boolean>
}

/** Access to rescans, for the sweeper alone. */
export interface RescanGate {
  /** Starts the workflow of a rescan, or finds it. @returns Whether this call started it. */
  startRescan(input: RescanInput): Promise<boolean>
}

/** Access to the circuits of webhook endpoints, for attempts and the sweeper. */
export interface CircuitGate {
  /** Starts the workflow of an endpoint's circuit, or signals a running one to read the circuit again. */
  startWebhookCircuit(endpoint: {
    readonly id: string
    readonly merchantId: string
    readonly url: string
  }): Promise<void>
}

/** Access to replays, for the sweeper alone. */
export interface ReplayGate {
  /** Starts the workflow of a replay, or signals a running one to read its row again. */
  startWebhookReplay(replay: {
    readonly id: string
    readonly endpointId: string
    readonly merchantId: string
    readonly url: string
  }): Promise<void>
}

/** Creates the gate to a Temporal server. */
export function createWorkflowGate(
  client: WorkflowClient,
): WorkflowGate &
  ControlChangeGate &
  ConsolidationGate &
  CircuitGate &
  ReplayGate &
  ExportGate &
  ReconciliationGate &
  RescanGate {
  return {
    startDeposit: (input) => startDeposit(client, input),
    wakePayment: (payment) => wakePayment(client, payment),
    startWithdrawal: (input) => startWithdrawal(client, input),
    startBatch: (input) => startBatch(client, input),
    startControlChange: (input) => startControlChange(client, input),
    startExport: (input) => startExport(client, input),
    startReconciliationRun: (input) => startReconciliationRun(client, input),
    startRescan: (input) => startRescan(client, input),
    startConsolidation: (input) => startConsolidation(client, input),
    startChainWatcher: (input) => startChainWatcher(client, input),
    startWebhookCircuit: (endpoint) => startWebhookCircuit(client, endpoint),
    startWebhookReplay: (replay) => startWebhookReplay(client, replay),
    async signal(workflowId, signal, ...args) {
      try {
        await client.getHandle(workflowId).signal(signal, ...args)
        return true
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false
        throw error
      }
    },
  }
}

/** Access to Temporal's Schedules, for the sweeper. */
export interface ScheduleGate {
  /** Creates, updates or deletes the Schedule so that it equals its row. */
  applySchedule(schedule: AppliedSchedule): Promise<void>
  /** Creates, updates or deletes the Schedule that reconciles a merchant's books. @param intervalMs - 0 deletes it. */
  applyReconciliation(merchantId: string, intervalMs: number): Promise<void>
  /** Returns how many firings the Schedule has left out since its creation. `null` if it does not exist. */
  readMissed(id: string): Promise<number | null>
  /** Returns the firings that were interrupted since `since`. */
  listLostFirings(since: Date): Promise<LostFiring[]>
  /**
   * Starts an interrupted firing again for the time at which it was due.
   *
   * @returns Whether this call started it.
   */
  restartFiring(firing: LostFiring, merchantId: string): Promise<boolean>
}

/** Creates the gate to the Schedules of a Temporal server. */
export function createScheduleGate(client: ScheduleClient, workflows: WorkflowClient): ScheduleGate {
  return {
    applySchedule: (schedule) => applySchedule(client, schedule),
    applyReconciliation: (merchantId, intervalMs) =>
      applyReconciliationSchedule(client, merchantId, intervalMs),
    readMissed: (id) => readMissed(client, id),
    listLostFirings: (since) => listLostFirings(workflows, since),
    restartFiring: (firing, merchantId) => restartFiring(workflows, firing, merchantId),
  }
}
