/**
 * Keeps hot wallets between their watermarks, consolidates small outputs, and reports low balances. A
 * Temporal Schedule starts it.
 */

import { proxyActivities } from '@temporalio/workflow'
import type { Balanced, TreasuryActivities } from '../activities/payouts/treasury.js'
import { TASK_QUEUE } from '../temporal/task-queues.js'

/** Checks once. The next run tries again what failed. */
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
