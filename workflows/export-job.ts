/** Writes one export to its file. The row holds the progress, so a worker that dies loses one part at most. */

import { CancellationScope, proxyActivities } from '@temporalio/workflow'
import type { ExportActivities } from '../activities/books/export-job.js'
import type { ExportInput } from '../temporal/inputs.js'

const { writeExport } = proxyActivities<ExportActivities>({
  taskQueue: 'exports',
  startToCloseTimeout: '12h',
  // A worker that dies must be noticed soon.
  heartbeatTimeout: '15s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m', maximumAttempts: 20 },
})
const { giveUpExport } = proxyActivities<ExportActivities>({
  taskQueue: 'exports',
  startToCloseTimeout: '1m',
  heartbeatTimeout: '15s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '5m' },
})

/** Writes the export. After many failed attempts the job fails, so that no job waits without an end. */
export async function exportJob({ id }: ExportInput): Promise<void> {
  try {
    await writeExport(id)
  } catch {
    // Also where an operator cancelled the workflow.
    await CancellationScope.nonCancellable(() => giveUpExport(id))
  }
}
