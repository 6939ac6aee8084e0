/** Repairs what a crash left between a row and its workflow. A Temporal Schedule starts it. */

import { proxyActivities } from '@temporalio/workflow'
import type { SweeperActivities, Swept } from '../activities/operations/sweeper.js'

/** Sweeps once. The next run tries again what failed. */
export async function sweeper(): Promise<Swept> {
  const { sweep } = proxyActivities<SweeperActivities>({
    startToCloseTimeout: '5m',
    // The Schedule starts no further sweep while this one runs, so a worker that dies in it must be noticed
    // soon.
    heartbeatTimeout: '15s',
    retry: { maximumAttempts: 3 },
    summary: 'Starts, signals and cleans up what was left',
  })
  return sweep()
}
