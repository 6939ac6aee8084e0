/** The input of each workflow. Recorded histories hold these types, so fields may be added but never renamed. */

import type { ControlChangeKind } from '../domain/controls/control-change.js'
import type { MovementKind } from '../domain/payouts/treasury.js'

export interface DepositInput {
  /** Id of the row (`dep_…`). */
  readonly id: string
  readonly merchantId: string
  readonly network: string
  readonly coin: string
  readonly txid: string
  readonly index: number
  /** Variant as in `depositId`. Absent for 0. */
  readonly variant?: number
  /** Title that operators see, e.g. `0.5 btc for user-7`. */
  readonly title: string
}

export interface PaymentInput {
  /** Id of the row (`pay_…`). */
  readonly id: string
  readonly merchantId: string
  readonly network: string
  readonly coin: string
  /** Title that operators see, e.g. `0.5 btc from user-7`. */
  readonly title: string
}

export interface WithdrawalInput {
  readonly id: string
  readonly merchantId: string
  readonly network: string
  readonly coin: string
  /** Title that operators see, e.g. `100.5 usdt to 0x742d…6C87`. */
  readonly title: string
  /** Kind of movement between the merchant's own wallets. Absent for withdrawals. */
  readonly kind?: MovementKind
  readonly intentHash: string
  readonly initiator: string
  /** ISO 8601 UTC. */
  readonly expiresAt: string
  /**
   * Whether a reorg removed the transaction that had settled the payout, so that a new run must follow it
   * again.
   */
  readonly reopened?: boolean
  /** Batch that the part belongs to. Absent for other payouts. */
  readonly batchId?: string
}

export interface BatchInput {
  /** Id of the row (`batch_…`). */
  readonly id: string
  readonly merchantId: string
  readonly network: string
  readonly coin: string
  /** Title that operators see, e.g. `25 payouts, 1250.5 usdt`. */
  readonly title: string
  /** ISO 8601 UTC. */
  readonly expiresAt: string
}

export interface ConsolidationInput {
  readonly merchantId: string
  readonly network: string
  readonly coin: string
  /** Id of the deposit address (EVM) or of the merchant (UTXO). */
  readonly id: string
  /** Title that operators see, e.g. `usdt of 0x742d…6C87`. */
  readonly title: string
  /** Whether a person requested it, so that the minimum number of outputs does not apply. */
  readonly requested?: boolean
}

export interface WebhookDeliveryInput {
  /** Id of the row (`whd_…`). */
  readonly id: string
  readonly eventId: string
  readonly endpointId: string
  readonly merchantId: string
  /** Title that operators see, e.g. `deposit.status_changed to shop.example`. */
  readonly title: string
  /**
   * Whether the delivery became pending again. A running workflow then receives a signal, and a closed one
   * gets a new run.
   */
  readonly resumed?: boolean
  /**
   * `local` if the first attempt runs within the first workflow task. It is a field of the input, and not
   * `patched()`, because a patch costs two history events. Absent in older histories and after a resumption.
   */
  readonly firstAttempt?: 'local'
}

export interface WebhookCircuitInput {
  readonly endpointId: string
  readonly merchantId: string
  /** Title that operators see: the host of the endpoint. */
  readonly title: string
}

export interface WebhookReplayInput {
  /** Id of the row (`whr_…`). */
  readonly id: string
  readonly endpointId: string
  readonly merchantId: string
  /** Title that operators see: the host of the endpoint. */
  readonly title: string
}

export interface ControlChangeInput {
  /** Id of the row (`pol_…`, `wla_…`). */
  readonly id: string
  readonly kind: ControlChangeKind
  readonly merchantId: string
  /** Title that operators see: the fields that change, or the label and address. */
  readonly title: string
}

export interface ExportInput {
  /** Id of the row (`exp_…`). */
  readonly id: string
  readonly merchantId: string
  /** Title that operators see, e.g. `ledger as csv`. */
  readonly title: string
}

export interface ReconciliationInput {
  /** Id of the row (`rec_…`). */
  readonly id: string
  readonly merchantId: string
  /** Title that operators see: what the books are compared with. */
  readonly title: string
}

export interface RescanInput {
  /** Id of the row (`rsc_…`). */
  readonly id: string
  readonly network: string
}

export interface ScheduledReconciliationInput {
  readonly merchantId: string
}

export interface ChainWatcherInput {
  readonly network: string
}

export interface ScheduledWithdrawalInput {
  /** Id of the row (`wsc_…`). */
  readonly id: string
  /**
   * Nominal time (ISO 8601) of an interrupted firing that runs again. Absent if the Schedule started the
   * workflow.
   */
  readonly nominalAt?: string
}
