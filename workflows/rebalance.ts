/**
 * Started by a Temporal Schedule: keeps hot wallets between their watermarks, gathers small outputs, tells of
 * low wallets.
 */

import { proxyActivities } from '@temporalio/workflow'
import type { Balanced, TreasuryActivities } from '../activities/payouts/treasury.js'
import { TASK_QUEUE } from '../temporal/task-queues.js'

/** One look. What fails is tried again by the next one. */
export async function rebalance(): Promise<Balanced> {
  const { balanceWallets } = proxyActivities<TreasuryActivities>({
    taskQueue: TASK_QUEUE.chain,
    startToCloseTimeout: '10m',
    heartbeatTimeout: '1m',
    retry: { maximumAttempts: 3 },
    summary: 'Compares every wallet with its watermarks',
  })
  return balanceWallets()
}
