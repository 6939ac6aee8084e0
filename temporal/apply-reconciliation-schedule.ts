/** Creates, updates or deletes the Temporal Schedule that reconciles the books of a merchant. */

import { createHash } from 'node:crypto'
import {
  type ScheduleClient,
  ScheduleNotFoundError,
  type ScheduleOptions,
  ScheduleOverlapPolicy,
} from '@temporalio/client'
import { TypedSearchAttributes } from '@temporalio/common'
import { reconciliationScheduleId } from './ids.js'
import type { ScheduledReconciliationInput } from './inputs.js'
import { SEARCH_ATTRIBUTE } from './search-attributes.js'
import { TASK_QUEUE } from './task-queues.js'

/** Longest delay of a firing, after which it is left out. */
const CATCH_UP_MS = 3_600_000

/** Applies the Schedule. It is safe to run twice. @param intervalMs - 0 deletes it. */
export async function applyReconciliationSchedule(
  client: ScheduleClient,
  merchantId: string,
  intervalMs: number,
): Promise<void> {
  const handle = client.getHandle(reconciliationScheduleId(merchantId))
  try {
    if (intervalMs === 0) await handle.delete()
    else await handle.update(({ state }) => ({ ...options(merchantId, intervalMs), state }))
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error
    if (intervalMs > 0)
      await client.create({ scheduleId: handle.scheduleId, ...options(merchantId, intervalMs) })
  }
}

function options(merchantId: string, intervalMs: number) {
  const input: ScheduledReconciliationInput = { merchantId }
  return {
    // Merchants are spread over the interval, so that they do not all begin at once.
    spec: { intervals: [{ every: intervalMs, offset: placeOf(merchantId) % intervalMs }] },
    action: {
      type: 'startWorkflow',
      workflowType: 'scheduledReconciliation',
      workflowId: reconciliationScheduleId(merchantId),
      taskQueue: TASK_QUEUE.core,
      args: [input],
      staticSummary: 'Starts the reconciliation of a merchant',
      typedSearchAttributes: new TypedSearchAttributes([
        { key: SEARCH_ATTRIBUTE.merchant, value: merchantId },
      ]),
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: CATCH_UP_MS },
  } satisfies Omit<ScheduleOptions, 'scheduleId'>
}

function placeOf(merchantId: string): number {
  return createHash('sha256').update(merchantId).digest().readUInt32BE()
}
