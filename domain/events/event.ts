/** The events a merchant gets: their names and data, the envelope, and which endpoint wants which. */

import type { DepositStatus } from '../deposits/deposit-status.js'
import type { BatchStage, BatchStatus, ItemCounts } from '../payouts/batch-status.js'
import type { WithdrawalStage, WithdrawalStatus } from '../payouts/withdrawal-stage.js'

export const EVENT_TYPES = [
  'payment.status_changed',
  'deposit.status_changed',
  'balance.updated',
  'withdrawal.status_changed',
  'withdrawal.transaction_replaced',
  'batch.status_changed',
  'exception.raised',
  'webhook.test',
  'signer.offline',
  'signer.online',
  'wallet.low_balance',
  'movement.status_changed',
  'policy.status_changed',
  'whitelist.status_changed',
] as const

export type EventType = (typeof EVENT_TYPES)[number]

/** The body of a webhook and of `GET /events`: sealed once, then frozen bytes. */
export interface EventEnvelope {
  readonly id: string
  readonly event: EventType
  /** ISO 8601 UTC of the change. */
  readonly timestamp: string
  /** Gap-free per merchant, from 1. */
  readonly sequence: number
  readonly data: Readonly<Record<string, unknown>>
}

/** An amount at an address, as a deposit's sources and destinations list them (whole coins). */
export interface AmountAtAddress {
  readonly address: string
  readonly amount: string
}

/** `deposit.status_changed` and the answer of `GET /deposits/{id}`; amounts are decimal strings in whole coins. */
export interface DepositView {
  readonly id: string
  readonly status: DepositStatus
  readonly previous_status?: DepositStatus | null
  readonly network: string
  readonly coin: string
  readonly amount: string
  readonly user_reference: string | null
  readonly address: {
    readonly id: string
    readonly address: string
    readonly network: string
    readonly label: string | null
    readonly key_pair_id: string
    readonly asset_pool_id: string
  }
  readonly transaction_hash: string
  readonly output_index: number
  readonly confirmations: number
  readonly required_confirmations: number
  readonly block_number: number | null
  readonly block_hash: string | null
  readonly block_time: string | null
  /** Network fee of the transaction in whole native coins, where known. */
  readonly fee: { readonly coin: string; readonly amount: string } | null
  readonly sources: readonly AmountAtAddress[]
  readonly destinations: readonly AmountAtAddress[]
  readonly payment_id: string | null
  /** What a person decided about it while it was held. */
  readonly decision: {
    readonly verdict: 'release' | 'reject'
    /** Person's or, without one, API key's id. */
    readonly by: string
    readonly reason: string
    readonly at: string
  } | null
  readonly detected_at: string
  readonly updated_at: string
  readonly confirmed_at: string | null
  readonly credited_at: string | null
}

/** `balance.updated`: the two movements of seed 003, at the address of the deposit. */
export interface BalanceUpdated {
  readonly address_id: string
  readonly address: string
  readonly label: string | null
  readonly user_reference: string | null
  readonly network: string
  readonly coin: string
  readonly funds: readonly {
    readonly type: 'AVAILABLE' | 'BLOCKCHAIN' | 'RESERVED'
    readonly balance: string
    readonly delta: string
  }[]
  readonly deposit_id: string | null
}

/** `withdrawal.status_changed` (seed 002, "Webhook Notifications"). */
export interface WithdrawalStatusChanged {
  readonly id: string
  readonly status: WithdrawalStatus
  readonly previous_status: WithdrawalStatus | null
  readonly stage: WithdrawalStage
  readonly transaction_hash: string | null
  readonly confirmations: number
  readonly [field: string]: unknown
}

/** `batch.status_changed`: the batch, and each item whose status changed; no items where all changed with the batch. */
export interface BatchStatusChanged {
  readonly id: string
  readonly status: BatchStatus
  /** The same as `status` when only items changed. */
  readonly previous_status: BatchStatus | null
  readonly stage: BatchStage
  readonly counts: ItemCounts
  readonly items: readonly {
    readonly id: string
    readonly index: number
    readonly to_address: string
    readonly amount: string
    readonly status: WithdrawalStatus
    readonly transaction_hash: string | null
    readonly failure: { readonly code: string; readonly message: string } | null
  }[]
  readonly [field: string]: unknown
}

/** `exception.raised`. */
export interface ExceptionRaised {
  readonly id: string
  readonly kind: string
  readonly severity: 'info' | 'warning' | 'critical'
  readonly subject: string
  readonly [field: string]: unknown
}
