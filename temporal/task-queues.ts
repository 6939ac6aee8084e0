/** Names the task queues: workflows and database work, chains and signer, third parties, and long exports. */
export const TASK_QUEUE = { core: 'core', chain: 'chain', webhooks: 'webhooks', exports: 'exports' } as const

export type TaskQueue = (typeof TASK_QUEUE)[keyof typeof TASK_QUEUE]
