/**
 * The activities of a withdrawal's workflow, with their time-outs. No step is ever given up: it is retried
 * until it succeeds.
 */

import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow'
import type { WithdrawalActivities } from '../activities/payouts/withdrawal.js'
import type { WithdrawalActivitiesBeforeAdvance } from '../activities/payouts/withdrawal-before-advance.js'
import type {
  WithdrawalChainActivities,
  WithdrawalStepActivities,
} from '../activities/payouts/withdrawal-chain.js'
import { TASK_QUEUE } from '../temporal/task-queues.js'

/** The steps that need only the database. */
export const core = proxyLocalActivities<WithdrawalActivities & WithdrawalActivitiesBeforeAdvance>({
  startToCloseTimeout: '10s',
  localRetryThreshold: '10s',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '1m' },
})
/**
 * The steps that need a node or the signer.
 *
 * @param summary - Shown in the history.
 * @param options.closeMs - How long the step may be retried.
 * @param options.signer - Whether the step waits for the signer, with heartbeats.
 * @param options.carries - Whether it takes several steps, with heartbeats.
 * @param options.follows - Whether it follows a transaction, with heartbeats.
 */
export const chain = (
  summary: string,
  options: {
    priority?: number | undefined
    closeMs?: number
    signer?: true
    carries?: true
    follows?: true
  } = {},
) => {
  const { priority, closeMs, signer, carries, follows } = options
  return proxyActivities<WithdrawalChainActivities & WithdrawalStepActivities>({
    taskQueue: TASK_QUEUE.chain,
    startToCloseTimeout: carries ? '3m' : signer ? '2m' : '1m',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
    summary,
    // A step that a worker lost is dispatched again after this time, and not after its whole start-to-close.
    ...(signer || carries || follows ? { heartbeatTimeout: '15s' } : {}),
    ...(closeMs === undefined ? {} : { scheduleToCloseTimeout: closeMs }),
    ...(priority === undefined ? {} : { priority: { priorityKey: priority } }),
  })
}
