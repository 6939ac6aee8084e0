/** Builds every workflow id. Temporal stores ids as plain text, so they hold no secret. */

/** Returns the id of the singleton that follows a chain. */
export const chainWatcherId = (network: string): string => `chain-watcher:${network}`

/**
 * Returns the id of a deposit's workflow. The index is that of the output (UTXO) or of the transfer within
 * its transaction (EVM). The variant is above 0 if an earlier deposit at the same place paid another address
 * or coin.
 */
export const depositId = (network: string, txid: string, index: number, variant = 0): string =>
  `deposit:${network}:${txid}:${index}${variant === 0 ? '' : `:${variant}`}`

/** Returns the id of a payment's workflow. */
export const paymentId = (id: string): string => `payment:${id}`

/** Returns the id of the delivery of one event to one endpoint. */
export const webhookDeliveryId = (eventId: string, endpointId: string): string =>
  `webhook:${eventId}:${endpointId}`

/** Returns the id of the circuit of an endpoint. */
export const webhookCircuitId = (endpointId: string): string => `webhook-circuit:${endpointId}`

/** Returns the id of a replay of events to an endpoint. */
export const webhookReplayId = (id: string): string => `webhook-replay:${id}`

/** Returns the id of a withdrawal's workflow. Movements, parts of a batch and nonce fills use it as well. */
export const withdrawalId = (id: string): string => `withdrawal:${id}`

/**
 * Returns the id of a consolidation: the transfer of a deposit address's coins to the master wallet (EVM), or
 * the merge of a merchant's small outputs into one (UTXO).
 */
export const consolidationId = (network: string, coin: string, id: string): string =>
  `consolidation:${network}:${coin}:${id}`

/** Returns the id of a batch's workflow. */
export const batchId = (id: string): string => `batch:${id}`

/** Returns the id of the workflow of an export job. */
export const exportId = (id: string): string => `export:${id}`

/** Returns the id of a run of the reconciliation. */
export const reconciliationId = (id: string): string => `reconciliation:${id}`

/** Returns the id of the workflow of a rescan. */
export const rescanId = (id: string): string => `rescan:${id}`

/** Returns the id of the Temporal Schedule that reconciles the books of a merchant. */
export const reconciliationScheduleId = (merchantId: string): string =>
  `reconciliation-schedule:${merchantId}`

/** Workflow type of each kind of control change. */
export const CONTROL_CHANGE_WORKFLOW = {
  policy: 'policyChange',
  whitelist: 'whitelist',
  deposit_release: 'depositRelease',
  exception_resolution: 'exceptionResolution',
  period_close: 'periodClose',
  period_reopen: 'periodReopen',
  settlement_resume: 'settlementResume',
} as const

/** Returns the id of the workflow of a control change. */
export const controlChangeId = (kind: keyof typeof CONTROL_CHANGE_WORKFLOW, id: string): string =>
  `${CONTROL_CHANGE_WORKFLOW[kind]}:${id}`

/**
 * Returns the id of the Temporal Schedule of a withdrawal schedule. Temporal appends the nominal time to each
 * firing.
 */
export const withdrawalScheduleId = (id: string): string => `withdrawal-schedule:${id}`

/** Id of the sweeper, which starts or signals the workflow of every row that a crash left without one. */
export const SWEEPER_SCHEDULE_ID = 'sweeper'

/** Id of the rebalancer, which keeps every wallet between its watermarks. */
export const REBALANCE_SCHEDULE_ID = 'rebalance'
