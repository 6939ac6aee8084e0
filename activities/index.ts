/** Exports every factory of activities. */

export { createChainWatcherActivities } from './chain/chain-watcher.js'
export { createControlChangeActivities } from './controls/control-change.js'
export { createDepositActivities, createScreeningActivities } from './deposits/deposit.js'
export { createWebhookCircuitActivities } from './events/webhook-circuit.js'
export { createWebhookDeliveryActivities } from './events/webhook-delivery.js'
export { createSweeperActivities } from './operations/sweeper.js'
export { createPaymentActivities } from './payments/payment.js'
export { createBatchActivities } from './payouts/batch.js'
export { createScheduledWithdrawalActivities } from './payouts/scheduled-withdrawal.js'
export { createTreasuryActivities } from './payouts/treasury.js'
export { createWithdrawalActivities } from './payouts/withdrawal.js'
export { createWithdrawalChainActivities } from './payouts/withdrawal-chain.js'
