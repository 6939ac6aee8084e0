/** Makes the checks of one reconciliation, one after the other. The rows hold what is done. */

import { CancellationScope, continueAsNew, proxyActivities, sleep, workflowInfo } from '@temporalio/workflow'
import type { ReconciliationActivities } from '../activities/books/reconciliation.js'
import type { ReconciliationInput } from '../temporal/inputs.js'

/** First and longest wait while an older run of the merchant is open. */
const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 30_000

/**
 * Makes every check that is not done, when no older run of the merchant is open. After many failed attempts the
 * run fails, so that no run waits without an end.
 */
export async function reconciliation(input: ReconciliationInput): Promise<void> {
  const { planRun, finishRun, giveUpRun } = proxyActivities<ReconciliationActivities>({
    taskQueue: 'reconciliation',
    startToCloseTimeout: '10m',
    heartbeatTimeout: '15s',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '5m' },
    priority: { fairnessKey: input.merchantId },
  })
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
    try {
      const plan = await planRun(input.id)
      if (plan.kind === 'ended') return
      if (plan.kind === 'planned') {
        for (const name of plan.checks) await makeCheck(input, name)
        await finishRun(input.id)
        return
      }
      await sleep(waitMs, { summary: 'An older reconciliation of the merchant is open' })
    } catch {
      // Also where an operator cancelled the workflow.
      await CancellationScope.nonCancellable(() => giveUpRun(input.id))
      return
    }
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof reconciliation>(input)
  }
}

async function makeCheck(input: ReconciliationInput, name: string): Promise<void> {
  const { makeCheck } = proxyActivities<ReconciliationActivities>({
    taskQueue: 'reconciliation',
    startToCloseTimeout: '12h',
    // A worker that dies must be noticed soon.
    heartbeatTimeout: '15s',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m', maximumAttempts: 20 },
    priority: { fairnessKey: input.merchantId },
    summary: name,
  })
  await makeCheck(input.id, name)
}
