/**
 * Names the task queues: workflows and database work, chains and signer, third parties, long exports, and the
 * checks of reconciliations. Workers with the role `exports` serve the last two.
 */
export const TASK_QUEUE = {
  core: 'core',
  chain: 'chain',
  webhooks: 'webhooks',
  exports: 'exports',
  reconciliation: 'reconciliation',
} as const

export type TaskQueue = (typeof TASK_QUEUE)[keyof typeof TASK_QUEUE]
