/** How activities reach other workflows: started by row, signalled by id. */

import { type ScheduleClient, type WorkflowClient, WorkflowNotFoundError } from '@temporalio/client'
import { type AppliedSchedule, applySchedule, readMissed } from './apply-schedule.js'
import type {
  BatchInput,
  ChainWatcherInput,
  ConsolidationInput,
  ControlChangeInput,
  DepositInput,
  WithdrawalInput,
} from './inputs.js'
import { type LostFiring, listLostFirings, restartFiring } from './lost-firings.js'
import {
  startBatch,
  startChainWatcher,
  startConsolidation,
  startControlChange,
  startDeposit,
  startWithdrawal,
} from './start.js'

export interface WorkflowGate {
  /** Starts the workflow of a deposit, or finds it running. @returns Whether it was started now. */
  startDeposit(input: DepositInput): Promise<boolean>
  /** Starts the workflow of a withdrawal, or finds it, running or at its end. @returns Whether it was started now. */
  startWithdrawal(input: WithdrawalInput): Promise<boolean>
  /** Starts the watcher of a chain, or finds it running. */
  startChainWatcher(input: ChainWatcherInput): Promise<void>
  /** Signals a workflow. @returns False when none of this id is running. */
  signal(workflowId: string, signal: string, ...args: unknown[]): Promise<boolean>
}

/** How deposits, the sweeper and the look at the wallets reach consolidations. */
export interface ConsolidationGate {
  /** Starts the workflow of a consolidation, or has a running one look again. */
  startConsolidation(input: ConsolidationInput): Promise<void>
}

/** What only the sweeper starts besides. */
export interface ControlChangeGate {
  /** Starts the workflow of a batch, or finds it, running or at its end. @returns Whether it was started now. */
  startBatch(input: BatchInput): Promise<boolean>
  /** Starts the workflow of a change of controls, or finds it, running or at its end. @returns Whether it was started now. */
  startControlChange(input: ControlChangeInput): Promise<boolean>
}

/** The gate to a Temporal server. */
export function createWorkflowGate(
  client: WorkflowClient,
): WorkflowGate & ControlChangeGate & ConsolidationGate {
  return {
    startDeposit: (input) => startDeposit(client, input),
    startWithdrawal: (input) => startWithdrawal(client, input),
    startBatch: (input) => startBatch(client, input),
    startControlChange: (input) => startControlChange(client, input),
    startConsolidation: (input) => startConsolidation(client, input),
    startChainWatcher: (input) => startChainWatcher(client, input),
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

/** How the sweeper reaches Temporal's Schedules. */
export interface ScheduleGate {
  /** Makes the Schedule what the row says. */
  applySchedule(schedule: AppliedSchedule): Promise<void>
  /** Firings that it left out since it was made; null when it is not there. */
  readMissed(id: string): Promise<number | null>
  /** Firings whose workflow was cut short since then. */
  listLostFirings(since: Date): Promise<LostFiring[]>
  /** Starts one again for the time that it was due. @returns Whether it was started now. */
  restartFiring(firing: LostFiring, merchantId: string): Promise<boolean>
}

/** The gate to the Schedules of a Temporal server. */
export function createScheduleGate(client: ScheduleClient, workflows: WorkflowClient): ScheduleGate {
  return {
    applySchedule: (schedule) => applySchedule(client, schedule),
    readMissed: (id) => readMissed(client, id),
    listLostFirings: (since) => listLostFirings(workflows, since),
    restartFiring: (firing, merchantId) => restartFiring(workflows, firing, merchantId),
  }
}
