/** Finds interrupted firings of withdrawal schedules in Temporal and starts them again for the same time. */

import {
  type WorkflowClient,
  WorkflowExecutionAlreadyStartedError,
  WorkflowIdReusePolicy,
} from '@temporalio/client'
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common'
import { withdrawalScheduleId } from './ids.js'
import type { ScheduledWithdrawalInput } from './inputs.js'
import { SEARCH_ATTRIBUTE } from './search-attributes.js'
import { TASK_QUEUE } from './task-queues.js'

/** A firing whose workflow started but did not complete. */
export interface LostFiring {
  readonly workflowId: string
  /** Id of the schedule's row (`wsc_…`). */
  readonly scheduleId: string
  /** Time for which it was due, which identifies the firing within its schedule. */
  readonly nominalAt: Date
}

/** Most firings that one call returns. */
const MOST = 500
const SCHEDULED_START_TIME = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME')
/** Memo key that keeps the nominal time of a restarted firing, in case it is interrupted again. */
const NOMINAL = 'nominalAt'
const PREFIX = withdrawalScheduleId('')
/** Matches `wsc_…` within `withdrawal-schedule:wsc_…-2026-02-01T08:00:00Z`. */
const SCHEDULE_ID = /^wsc_[0-9a-z]+/i

/** Returns the firings that were terminated, cancelled, timed out or failed since `since`, latest first. */
export async function listLostFirings(client: WorkflowClient, since: Date): Promise<LostFiring[]> {
  const lost: LostFiring[] = []
  const query = `WorkflowType = 'scheduledWithdrawal' AND ExecutionStatus IN ('Terminated', 'Canceled', 'Failed', 'TimedOut') AND CloseTime > '${since.toISOString()}'`
  for await (const run of client.list({ query })) {
    const [scheduleId] = SCHEDULE_ID.exec(run.workflowId.slice(PREFIX.length)) ?? []
    if (!run.workflowId.startsWith(PREFIX) || scheduleId === undefined) continue
    const kept = run.memo?.[NOMINAL]
    const nominalAt =
      typeof kept === 'string'
        ? new Date(kept)
        : (run.typedSearchAttributes.get(SCHEDULED_START_TIME) ?? run.startTime)
    lost.push({ workflowId: run.workflowId, scheduleId, nominalAt })
    if (lost.length >= MOST) break
  }
  return lost
}

/**
 * Starts a firing again for its own time, under its own id.
 *
 * @returns `false` if it runs or has completed meanwhile.
 */
export async function restartFiring(
  client: WorkflowClient,
  { workflowId, scheduleId, nominalAt }: LostFiring,
  merchantId: string,
): Promise<boolean> {
  const input: ScheduledWithdrawalInput = { id: scheduleId, nominalAt: nominalAt.toISOString() }
  try {
    await client.start('scheduledWithdrawal', {
      workflowId,
      taskQueue: TASK_QUEUE.core,
      args: [input],
      memo: { [NOMINAL]: nominalAt.toISOString() },
      staticSummary: `Recurring withdrawal, made up for: ${scheduleId}`,
      typedSearchAttributes: new TypedSearchAttributes([
        { key: SEARCH_ATTRIBUTE.merchant, value: merchantId },
      ]),
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
    })
    return true
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error
    return false
  }
}
