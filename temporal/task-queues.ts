/**
 * Names the task queues: workflows and database work, chains and signer, third parties, long exports, the steps of
 * reconciliations, and their comparisons with a chain, which last long. Workers with the role `exports` serve the
 * last three.
 */
export const TASK_QUEUE = {
  core: 'core',
  chain: 'chain',
  webhooks: 'webhooks',
  exports: 'exports',
  reconciliation: 'reconciliation',
  comparisons: 'comparisons',
} as const

export type TaskQueue = (typeof TASK_QUEUE)[keyof typeof TASK_QUEUE]

/** Roles of a worker that serve task queues. */
export const QUEUE_ROLES = [
  TASK_QUEUE.core,
  TASK_QUEUE.chain,
  TASK_QUEUE.webhooks,
  TASK_QUEUE.exports,
] as const
