/**
 * The singleton that follows a chain. It owns one long activity, which moves between workers by its
 * heartbeat.
 */

import { continueAsNew, proxyActivities, setCurrentDetails } from '@temporalio/workflow'
import type { ChainWatcherActivities } from '../activities/chain/chain-watcher.js'
import type { ChainWatcherInput } from '../temporal/inputs.js'
import { TASK_QUEUE } from '../temporal/task-queues.js'

/** Follows the chain without end: an hour at a time, each in a new run, so that the history stays short. */
export async function chainWatcher(input: ChainWatcherInput): Promise<void> {
  const { followChain } = proxyActivities<ChainWatcherActivities>({
    taskQueue: TASK_QUEUE.chain,
    // A worker that dies is noticed within this time, and another one goes on from the cursor.
    heartbeatTimeout: '10s',
    startToCloseTimeout: '2h',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '10s' },
    summary: `Follows ${input.network}`,
  })
  setCurrentDetails(
    `Follows **${input.network}**: blocks, mempool, reorgs. Its position is in \`chain_cursors\`; the heartbeat of the activity shows the height.`,
  )
  await followChain(input)
  await continueAsNew<typeof chainWatcher>(input)
}
