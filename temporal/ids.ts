/** Every workflow id of the product, built in this one place; ids are plain text in Temporal, so nothing secret is in them. */

/** The singleton that follows a chain. */
export const chainWatcherId = (network: string): string => `chain-watcher:${network}`

/**
 * One deposit: the n-th output (UTXO) or the ordinal of the transfer in its transaction (EVM); what paid another address or coin
 * at the same place has a variant above 0.
 */
export const depositId = (network: string, txid: string, index: number, variant = 0): string =>
  `deposit:${network}:${txid}:${index}${variant === 0 ? '' : `:${variant}`}`

/** One event to one endpoint. */
export const webhookDeliveryId = (eventId: string, endpointId: string): string =>
  `webhook:${eventId}:${endpointId}`

/** One withdrawal. */
export const withdrawalId = (id: string): string => `withdrawal:${id}`

/** The coins of a deposit address on their way to the master wallet (EVM), or a merchant's small outputs becoming one (UTXO). */
export const consolidationId = (network: string, coin: string, id: string): string =>
  `consolidation:${network}:${coin}:${id}`

/** One batch. */
export const batchId = (id: string): string => `batch:${id}`

/** The workflow type of each kind of change. */
export const CONTROL_CHANGE_WORKFLOW = {
  policy: 'policyChange',
  whitelist: 'whitelist',
  deposit_release: 'depositRelease',
} as const

/** One change of a merchant's controls: of its policy, or an entry of its whitelist. */
export const controlChangeId = (kind: 'policy' | 'whitelist' | 'deposit_release', id: string): string =>
  `${CONTROL_CHANGE_WORKFLOW[kind]}:${id}`

/** The Temporal Schedule of a withdrawal schedule; its firings add their nominal time. */
export const withdrawalScheduleId = (id: string): string => `withdrawal-schedule:${id}`

/** The one-minute sweeper that starts or re-signals whatever has a row and no workflow. */
export const SWEEPER_SCHEDULE_ID = 'sweeper'

/** The look at every wallet that keeps them between their watermarks. */
export const REBALANCE_SCHEDULE_ID = 'rebalance'
