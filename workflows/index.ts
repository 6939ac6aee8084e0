/** Exports every workflow type, for the bundle of the workers. */

export { batch } from './batch.js'
export { chainWatcher } from './chain-watcher.js'
export { consolidation } from './consolidation.js'
export { depositRelease, policyChange, whitelist } from './control-change.js'
export { deposit } from './deposit.js'
export { payment } from './payment.js'
export { rebalance } from './rebalance.js'
export { scheduledWithdrawal } from './scheduled-withdrawal.js'
export { sweeper } from './sweeper.js'
export { webhookCircuit } from './webhook-circuit.js'
export { webhookDelivery } from './webhook-delivery.js'
export { withdrawal } from './withdrawal.js'
