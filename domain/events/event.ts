/**
 * Defines the events that a merchant receives: their names and data, the envelope, and which endpoint wants
 * which.
 */

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

/** Data of `withdrawal.status_changed`. */
export interface WithdrawalStatusChanged {
  readonly id: string
  readonly status: WithdrawalStatus
  readonly previous_status: WithdrawalStatus | null
  readonly stage: WithdrawalStage
  readonly transaction_hash: string | null
  readonly confirmations: number
  readonly [field: string]: unknown
}

/**
 * Data of `batch.status_changed`: the batch, and the items whose status changed. No items if all changed with
 * the batch.
 */
export interface BatchStatusChanged {
  readonly id: string
  readonly status: BatchStatus
  /** Status before. The same as `status` if only items changed. */
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

/** Data of `exception.raised`. */
export interface ExceptionRaised {
  readonly id: string
  readonly kind: string
  readonly severity: 'info' | 'warning' | 'critical'
  readonly subject: string
  readonly [field: string]: unknown
}
