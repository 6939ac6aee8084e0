/** Exports every workflow type, for the bundle of the workers. */

export { batch } from './batch.js'
export { chainWatcher } from './chain-watcher.js'
export { consolidation } from './consolidation.js'
export {
  depositRelease,
  exceptionResolution,
  policyChange,
  settlementResume,
  whitelist,
} from './control-change.js'
export { deposit } from './deposit.js'
export { exportJob } from './export-job.js'
export { payment } from './payment.js'
export { periodClose, periodReopen } from './period-close.js'
export { rebalance } from './rebalance.js'
export { reconciliation } from './reconciliation.js'
export { rescan } from './rescan.js'
export { scheduledReconciliation } from './scheduled-reconciliation.js'
export { scheduledWithdrawal } from './scheduled-withdrawal.js'
export { sweeper } from './sweeper.js'
export { webhookCircuit } from './webhook-circuit.js'
export { webhookDelivery } from './webhook-delivery.js'
export { webhookReplay } from './webhook-replay.js'
export { withdrawal } from './withdrawal.js'
