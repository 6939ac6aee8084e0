/** Makes Temporal's Schedule what a row says that it should be. */

import {
  type ScheduleClient,
  ScheduleNotFoundError,
  type ScheduleOptions,
  ScheduleOverlapPolicy,
} from '@temporalio/client'
import { TypedSearchAttributes } from '@temporalio/common'
import { withdrawalScheduleId } from './ids.js'
import type { ScheduledWithdrawalInput } from './inputs.js'
import { SEARCH_ATTRIBUTE } from './search-attributes.js'
import { TASK_QUEUE } from './task-queues.js'

/** What of a row concerns Temporal. */
export interface AppliedSchedule {
  readonly id: string
  readonly merchantId: string
  /** For the operator. */
  readonly title: string
  readonly network: string
  readonly coin: string
  readonly cron: string | null
  readonly intervalMs: number | null
  readonly startAt: Date
  readonly endAt: Date | null
  readonly catchUpMs: number
  readonly paused: boolean
  readonly removed: boolean
}

/**
 * Creates, updates or deletes the Schedule; may run twice. Firings never overlap (SKIP), and one that would be later than
 * the catch-up window is left out: Temporal counts both, see `readMissed`.
 */
export async function applySchedule(client: ScheduleClient, schedule: AppliedSchedule): Promise<void> {
  const handle = client.getHandle(withdrawalScheduleId(schedule.id))
  try {
    if (schedule.removed) await handle.delete()
    else await handle.update(() => options(schedule))
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error
    if (!schedule.removed) await client.create({ scheduleId: handle.scheduleId, ...options(schedule) })
  }
}

/** How many firings the Schedule left out since it was made; null when there is no such Schedule. */
export async function readMissed(client: ScheduleClient, id: string): Promise<number | null> {
  try {
    const { info } = await client.getHandle(withdrawalScheduleId(id)).describe()
    return info.numActionsMissedCatchupWindow + info.numActionsSkippedOverlap
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return null
    throw error
  }
}

/** The next times at which it will fire, soonest first; empty when there is no such Schedule, or nothing is to come. */
export async function readNextFirings(client: ScheduleClient, id: string): Promise<Date[]> {
  try {
    const { info, state } = await client.getHandle(withdrawalScheduleId(id)).describe()
    return state.paused ? [] : info.nextActionTimes
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return []
    throw error
  }
}

function options(schedule: AppliedSchedule) {
  const { intervalMs, cron, startAt } = schedule
  const input: ScheduledWithdrawalInput = { id: schedule.id }
  return {
    spec: {
      // Temporal counts intervals from the epoch; ours count from the start.
      ...(intervalMs === null
        ? {}
        : { intervals: [{ every: intervalMs, offset: offsetOf(startAt, intervalMs) }] }),
      ...(cron === null ? {} : { cronExpressions: [cron] }),
      startAt,
      ...(schedule.endAt === null ? {} : { endAt: schedule.endAt }),
      timezone: 'UTC',
    },
    action: {
      type: 'startWorkflow',
      workflowType: 'scheduledWithdrawal',
      workflowId: withdrawalScheduleId(schedule.id),
      taskQueue: TASK_QUEUE.core,
      args: [input],
      staticSummary: `Recurring withdrawal: ${schedule.title}`.slice(0, 200),
      typedSearchAttributes: new TypedSearchAttributes([
        { key: SEARCH_ATTRIBUTE.merchant, value: schedule.merchantId },
        { key: SEARCH_ATTRIBUTE.network, value: schedule.network },
        { key: SEARCH_ATTRIBUTE.coin, value: schedule.coin },
      ]),
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: schedule.catchUpMs },
    state: { paused: schedule.paused },
  } satisfies Omit<ScheduleOptions, 'scheduleId'>
}

/** From 0 to the interval, also for a start before the epoch, whose remainder is negative. */
function offsetOf(startAt: Date, intervalMs: number): number {
  return ((startAt.getTime() % intervalMs) + intervalMs) % intervalMs
}
