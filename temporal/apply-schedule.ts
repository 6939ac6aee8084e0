/** Creates, updates or deletes a Temporal Schedule so that it equals its row. */

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

/** Part of a withdrawal schedule's row that its Temporal Schedule needs. */
export interface AppliedSchedule {
  readonly id: string
  readonly merchantId: string
  /** Title that operators see in the Temporal UI. */
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
 * Creates, updates or deletes the Schedule. It is safe to run twice. Firings never overlap (SKIP), and
 * Temporal leaves out a firing that is later than the catch-up window. Temporal counts both kinds;
 * `readMissed` reads the counts.
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

/**
 * Returns how many firings the Schedule has left out since its creation. `null` if there is no such Schedule.
 */
export async function readMissed(client: ScheduleClient, id: string): Promise<number | null> {
  try {
    const { info } = await client.getHandle(withdrawalScheduleId(id)).describe()
    return info.numActionsMissedCatchupWindow + info.numActionsSkippedOverlap
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return null
    throw error
  }
}

/**
 * Returns the next firing times, soonest first. Empty if there is no such Schedule or it will not fire again.
 */
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
      // Temporal counts intervals from the epoch, and ours count from the schedule's start.
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

/**
 * Returns the offset from 0 to the interval. A start before the epoch has a negative remainder, hence the
 * sum.
 */
function offsetOf(startAt: Date, intervalMs: number): number {
  return ((startAt.getTime() % intervalMs) + intervalMs) % intervalMs
}
