/** Makes the checks of one reconciliation, one after the other. The rows hold what is done. */

import {
  CancellationScope,
  ContinueAsNew,
  continueAsNew,
  isCancellation,
  proxyActivities,
  sleep,
  workflowInfo,
} from '@temporalio/workflow'
import type { CheckEnd, ReconciliationActivities } from '../activities/books/reconciliation.js'
import { networkOfCheck } from '../domain/books/difference.js'
import type { ReconciliationInput } from '../temporal/inputs.js'
import { TASK_QUEUE } from '../temporal/task-queues.js'

/** First and longest wait while an older run of the merchant is open. */
const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 30_000

/**
 * Makes every check that is not done, when no older run of the merchant is open, and then raises exceptions for
 * what differs. A check that fails again and again is given up, so that no run waits without an end.
 */
export async function reconciliation(input: ReconciliationInput): Promise<void> {
  const { planRun, giveUpRun } = stepsOf(input)
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
    try {
      const plan = await planRun(input.id)
      if (plan.kind === 'ended') return
      if (plan.kind === 'planned') {
        await makeChecks(input, plan.checks)
        return
      }
      await sleep(waitMs, { summary: 'An older reconciliation of the merchant is open' })
    } catch (error) {
      if (!isCancellation(error)) throw error
      // An operator cancelled the workflow.
      await CancellationScope.nonCancellable(() => giveUpRun(input.id))
      return
    }
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof reconciliation>(input)
  }
}

async function makeChecks(input: ReconciliationInput, names: readonly string[]): Promise<void> {
  const { giveUpCheck, raiseExceptions, finishRun } = stepsOf(input)
  for (const name of names) {
    try {
      while ((await makeCheck(input, name)) === 'paused') {
        if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof reconciliation>(input)
      }
    } catch (error) {
      if (isCancellation(error) || error instanceof ContinueAsNew) throw error
      await giveUpCheck(input.id, name)
    }
  }
  await raiseExceptions(input.id)
  await finishRun(input.id)
}

/** Returns the short steps, which are retried until they succeed. */
function stepsOf({ merchantId }: ReconciliationInput) {
  return proxyActivities<ReconciliationActivities>({
    taskQueue: TASK_QUEUE.reconciliation,
    startToCloseTimeout: '1h',
    heartbeatTimeout: '15s',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '5m' },
    priority: { fairnessKey: merchantId },
  })
}

/** Makes a check, or one slice of it. Histories recorded before slices hold no result. */
async function makeCheck({ id, merchantId }: ReconciliationInput, name: string): Promise<CheckEnd | null> {
  const { makeCheck } = proxyActivities<ReconciliationActivities>({
    taskQueue: networkOfCheck(name) === null ? TASK_QUEUE.reconciliation : TASK_QUEUE.comparisons,
    startToCloseTimeout: '12h',
    // A worker that dies must be noticed soon.
    heartbeatTimeout: '15s',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m', maximumAttempts: 20 },
    priority: { fairnessKey: merchantId },
    summary: name,
  })
  return makeCheck(id, name)
}
