/** Names the three task queues: workflows and database work, chains and signer, third parties. */
export const TASK_QUEUE = { core: 'core', chain: 'chain', webhooks: 'webhooks' } as const

export type TaskQueue = (typeof TASK_QUEUE)[keyof typeof TASK_QUEUE]
