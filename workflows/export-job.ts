/** Writes one export to its file. The row holds the progress, so a worker that dies loses one part at most. */

import { CancellationScope, continueAsNew, proxyActivities, sleep, workflowInfo } from '@temporalio/workflow'
import type { ExportActivities } from '../activities/books/export-job.js'
import type { ExportInput } from '../temporal/inputs.js'

/** First and longest wait while another job goes first. */
const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 30_000

/**
 * Writes the export, when no other one of its merchant is running. One that takes long gives its place to other
 * merchants meanwhile, and goes on in turn with them. After many failed attempts the job fails, so that no job waits
 * without an end.
 */
export async function exportJob(input: ExportInput): Promise<void> {
  const { writeExport } = proxyActivities<ExportActivities>({
    taskQueue: 'exports',
    startToCloseTimeout: '12h',
    // A worker that dies must be noticed soon.
    heartbeatTimeout: '15s',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m', maximumAttempts: 20 },
    priority: { fairnessKey: input.merchantId },
  })
  const { giveUpExport } = proxyActivities<ExportActivities>({
    taskQueue: 'exports',
    startToCloseTimeout: '1m',
    heartbeatTimeout: '15s',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '5m' },
    priority: { fairnessKey: input.merchantId },
  })
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
    try {
      if ((await writeExport(input.id)) !== 'busy') return
      await sleep(waitMs, { summary: 'Another export goes first' })
    } catch {
      // Also where an operator cancelled the workflow.
      await CancellationScope.nonCancellable(() => giveUpExport(input.id))
      return
    }
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof exportJob>(input)
  }
}
