/** Batches, schedules and movements as the API takes and answers them; amounts are decimal strings in whole coins. */

import type { BatchStage, BatchStatus, ItemCounts } from '../domain/payouts/batch-status.js'
import type { MovementKind } from '../domain/payouts/treasury.js'
import type { WithdrawalStatus } from '../domain/payouts/withdrawal-stage.js'
import type { NewWithdrawal, Paging, Priority, Withdrawal } from './types.js'

interface Failure {
  readonly code: string
  readonly message: string
}

/** Up to 1,000 outputs; the same address twice stays two payments. */
export interface NewBatch {
  readonly batch_withdrawal: {
    readonly network: string
    readonly coin: string
    readonly outputs: readonly { readonly to_address: string; readonly amount: string }[]
    readonly priority?: Priority
  }
  readonly user_reference?: string
  /** Unique for ever among batches. */
  readonly external_id?: string
}

export interface BatchSummary
  extends Pick<
    Withdrawal,
    | 'network'
    | 'coin'
    | 'amount'
    | 'fee'
    | 'fee_coin'
    | 'user_reference'
    | 'external_id'
    | 'approvals'
    | 'required_approvals'
    | 'intent_hash'
    | 'risk'
    | 'review'
    | 'created_at'
  > {
  readonly id: string
  readonly status: BatchStatus
  readonly stage: BatchStage
  readonly item_count: number
  readonly fee_limit: string
  readonly priority: Priority
  readonly failure: Failure | null
  readonly expires_at: string
  readonly completed_at: string | null
}

export interface Batch extends BatchSummary {
  readonly counts: ItemCounts
  readonly items: readonly {
    readonly id: string
    /** In `outputs` of the request, from 0. */
    readonly index: number
    readonly to_address: string
    readonly amount: string
    readonly status: WithdrawalStatus
    readonly transaction_hash: string | null
    readonly failure: Failure | null
  }[]
}

export interface BatchFilter extends Paging {
  readonly status?: BatchStatus
  readonly network?: string
  readonly coin?: string
  readonly user_reference?: string
  readonly external_id?: string
}

/** `cron` (UTC) or `interval_seconds`. */
export interface NewWithdrawalSchedule {
  readonly label: string
  readonly cron?: string
  readonly interval_seconds?: number
  readonly start_at?: string
  readonly end_at?: string
  readonly catch_up_seconds?: number
  readonly paused?: boolean
  readonly withdrawal: Omit<NewWithdrawal, 'external_id'>
}

export interface WithdrawalScheduleChange {
  readonly label?: string
  readonly paused?: boolean
  readonly end_at?: string | null
  readonly amount?: string
  readonly priority?: Priority
  readonly metadata?: Readonly<Record<string, unknown>>
}

export interface ScheduleFiring {
  readonly id: string
  /** The time for which it fired: its key. */
  readonly nominal_at: string
  readonly fired_at: string
  readonly outcome: 'created' | 'refused'
  readonly withdrawal_id: string | null
  readonly failure: (Failure & { readonly details: Readonly<Record<string, unknown>> }) | null
}

export type ScheduleStatus = 'active' | 'paused' | 'ended' | 'removed'

export interface WithdrawalSchedule {
  readonly id: string
  readonly label: string
  readonly status: ScheduleStatus
  readonly cron: string | null
  readonly interval_seconds: number | null
  readonly start_at: string
  readonly end_at: string | null
  readonly catch_up_seconds: number
  readonly withdrawal: Omit<NewWithdrawal, 'external_id'>
  /** Firings that were left out. */
  readonly missed: number
  readonly last_firing: ScheduleFiring | null
  readonly created_at: string
  readonly updated_at: string
}

export interface WithdrawalScheduleWithTimes extends WithdrawalSchedule {
  /** Null while nobody can tell. */
  readonly next_firings: readonly string[] | null
}

export interface ScheduleFilter extends Paging {
  readonly status?: ScheduleStatus
}

/** A movement between the own wallets; it changes nobody's balance but by its fee, which is the merchant's. */
export interface Movement
  extends Pick<
    Withdrawal,
    | 'id'
    | 'status'
    | 'stage'
    | 'network'
    | 'coin'
    | 'amount'
    | 'fee'
    | 'fee_coin'
    | 'to_address'
    | 'from_address'
    | 'approvals'
    | 'required_approvals'
    | 'intent_hash'
    | 'failure'
    | 'transaction_hash'
    | 'confirmations'
    | 'required_confirmations'
    | 'created_at'
    | 'confirmed_at'
  > {
  readonly kind: MovementKind
  /** Why it was made. */
  readonly cause: string
}

/** A part of a batch, or a movement, with what a person needs to speed it up, cancel or investigate it. */
export interface Payout
  extends Pick<
    Withdrawal,
    | 'id'
    | 'status'
    | 'stage'
    | 'network'
    | 'coin'
    | 'fee'
    | 'fee_coin'
    | 'from_address'
    | 'failure'
    | 'waiting'
    | 'attempts'
    | 'investigation'
    | 'transaction_hash'
    | 'confirmations'
    | 'required_confirmations'
    | 'created_at'
    | 'confirmed_at'
  > {
  readonly kind: 'batch_part' | MovementKind
  /** Null of a movement. */
  readonly batch_id: string | null
  /** Indices of the batch's items that it pays; null of a movement. */
  readonly items: readonly number[] | null
}

export interface MovementFilter extends Paging {
  readonly kind?: MovementKind
  readonly status?: WithdrawalStatus
  readonly network?: string
  readonly coin?: string
}

export interface Consolidation {
  readonly network: string
  readonly coin: string
  /** Null where many addresses pay (UTXO). */
  readonly address_id: string | null
  readonly workflow_id: string
}
