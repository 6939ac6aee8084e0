/** Started by a Temporal Schedule: repairs what a crash left between a row and its workflow. */

import { proxyActivities } from '@temporalio/workflow'
import type { SweeperActivities, Swept } from '../activities/operations/sweeper.js'

/** One sweep. What fails is tried again by the next one. */
export async function sweeper(): Promise<Swept> {
  const { sweep } = proxyActivities<SweeperActivities>({
    startToCloseTimeout: '5m',
    // The schedule starts no further sweep while this one runs, so a worker that dies in it must be noticed
    // soon.
    heartbeatTimeout: '15s',
    retry: { maximumAttempts: 3 },
    summary: 'Starts, signals and cleans up what was left',
  })
  return sweep()
}
