/** What each workflow is started with. These types are in recorded histories: fields are added, never renamed. */

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
  /** As `depositId`; absent for 0. */
  readonly variant?: number
  /** For the operator: e.g. `0.5 btc for user-7`. */
  readonly title: string
}

export interface WithdrawalInput {
  readonly id: string
  readonly merchantId: string
  readonly network: string
  readonly coin: string
  /** For the operator: e.g. `100.5 usdt to 0x742d…6C87`. */
  readonly title: string
  /** Of a movement between own wallets; absent for withdrawals. */
  readonly kind?: MovementKind
  readonly intentHash: string
  readonly initiator: string
  /** ISO 8601 UTC. */
  readonly expiresAt: string
  /** The chain took back its end: a closed workflow is followed by a new run, which goes on from the row. */
  readonly reopened?: boolean
  /** The batch that a part belongs to. */
  readonly batchId?: string
}

export interface BatchInput {
  /** Id of the row (`batch_…`). */
  readonly id: string
  readonly merchantId: string
  readonly network: string
  readonly coin: string
  /** For the operator: e.g. `25 payments, 1250.5 usdt`. */
  readonly title: string
  /** ISO 8601 UTC. */
  readonly expiresAt: string
}

export interface ConsolidationInput {
  readonly merchantId: string
  readonly network: string
  readonly coin: string
  /** Of the deposit address (EVM), or the merchant's (UTXO). */
  readonly id: string
  /** For the operator: e.g. `usdt of 0x742d…6C87`. */
  readonly title: string
  /** Somebody asked for it: few outputs are enough. */
  readonly requested?: boolean
}

export interface WebhookDeliveryInput {
  /** Id of the row (`whd_…`). */
  readonly id: string
  readonly eventId: string
  readonly endpointId: string
  readonly merchantId: string
  /** For the operator: e.g. `deposit.status_changed to shop.example`. */
  readonly title: string
  /** True when it was made pending again: a running workflow is told, a closing one goes on, a closed one is followed. */
  readonly resumed?: boolean
}

export interface ControlChangeInput {
  /** Id of the row (`pol_…`, `wla_…`). */
  readonly id: string
  readonly kind: ControlChangeKind
  readonly merchantId: string
  /** For the operator: the fields that change, or the label and address. */
  readonly title: string
}

export interface ChainWatcherInput {
  readonly network: string
}

export interface ScheduledWithdrawalInput {
  /** Id of the row (`wsc_…`). */
  readonly id: string
  /** ISO 8601: the time of a firing that was cut short and is made up for; absent where the Schedule itself started it. */
  readonly nominalAt?: string
}
