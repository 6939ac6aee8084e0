/** Scans blocks again that the watcher has passed. The row holds how far it is. */

import { CancellationScope, proxyActivities } from '@temporalio/workflow'
import type { RescanActivities } from '../activities/chain/rescan.js'
import type { RescanInput } from '../temporal/inputs.js'

/** Scans until all blocks are done. After many failed attempts the rescan fails, so that none waits without an end. */
export async function rescan(input: RescanInput): Promise<void> {
  const { runRescan } = proxyActivities<RescanActivities>({
    taskQueue: 'chain',
    startToCloseTimeout: '12h',
    // A worker that dies must be noticed soon.
    heartbeatTimeout: '30s',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m', maximumAttempts: 30 },
  })
  const { giveUpRescan } = proxyActivities<RescanActivities>({
    taskQueue: 'chain',
    startToCloseTimeout: '1m',
    heartbeatTimeout: '30s',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '5m' },
  })
  try {
    await runRescan(input.id)
  } catch {
    // Also where an operator cancelled the workflow.
    await CancellationScope.nonCancellable(() => giveUpRescan(input.id))
  }
}
