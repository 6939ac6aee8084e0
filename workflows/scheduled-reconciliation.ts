/** One firing of a merchant's reconciliation schedule: opens the run, which has a workflow of its own. */

import { defineSearchAttributeKey } from '@temporalio/common'
import { proxyActivities, workflowInfo } from '@temporalio/workflow'
import type { ReconciliationActivities } from '../activities/books/reconciliation.js'
import type { ScheduledReconciliationInput } from '../temporal/inputs.js'

/** Temporal's own attribute: the time for which a Schedule started this run, also when it was late. */
const SCHEDULED_START_TIME = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME')

/** Ends when the run is open. @returns Its id. `null` if an earlier one is open. */
export async function scheduledReconciliation({
  merchantId,
}: ScheduledReconciliationInput): Promise<string | null> {
  const { typedSearchAttributes, startTime } = workflowInfo()
  const nominalAt = typedSearchAttributes.get(SCHEDULED_START_TIME) ?? startTime
  const { openScheduledRun } = proxyActivities<ReconciliationActivities>({
    taskQueue: 'reconciliation',
    startToCloseTimeout: '1m',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
    priority: { fairnessKey: merchantId },
  })
  return openScheduledRun(merchantId, nominalAt.toISOString())
}
