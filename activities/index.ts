/** Every factory of activities. */

export { createBatchActivities } from './batch.js'
export { createChainWatcherActivities } from './chain-watcher.js'
export { createControlChangeActivities } from './control-change.js'
export { createDepositActivities, createScreeningActivities } from './deposit.js'
export { createScheduledWithdrawalActivities } from './scheduled-withdrawal.js'
export { createSweeperActivities } from './sweeper.js'
export { createTreasuryActivities } from './treasury.js'
export { createWebhookDeliveryActivities } from './webhook-delivery.js'
export { createWithdrawalActivities } from './withdrawal.js'
export { createWithdrawalChainActivities } from './withdrawal-chain.js'
