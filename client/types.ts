/** What the API takes and answers, for callers; amounts are decimal strings in whole coins, times ISO 8601 UTC. */

import type { ControlChangeState } from '../domain/controls/control-change.js'
import type { Policy } from '../domain/controls/policy.js'
import type { PolicyEdit } from '../domain/controls/policy-change.js'
import type { DeliveryStatus } from '../domain/events/delivery-status.js'
import type { EventType } from '../domain/events/event.js'
import type { ListedApproval } from '../wire/approval.js'
import type { Paging } from '../wire/paging.js'

export type { Address, AddressFilter, NewAddress } from '../wire/address.js'
export type { Approval, ApprovalDecision, ListedApproval, ReviewDecision } from '../wire/approval.js'
export type { Balance, BalanceFilter, SpendableBalance } from '../wire/balance.js'
export type { Batch, BatchFilter, BatchItem, BatchSummary, NewBatch } from '../wire/batch.js'
export type {
  AwaitedApproval,
  Deposit,
  DepositAwaitingApproval,
  DepositFilter,
  DepositWithHistory,
} from '../wire/deposit.js'
export type { EstimateRequest, WithdrawalEstimate } from '../wire/estimate.js'
export type { EventEnvelope } from '../wire/event.js'
export type { Failure } from '../wire/failure.js'
export type {
  Consolidation,
  ConsolidationRequest,
  Movement,
  MovementFilter,
  NewConsolidation,
} from '../wire/movement.js'
export type { Pagination } from '../wire/paging.js'
export type { Payout } from '../wire/payout.js'
export type { Priority } from '../wire/priority.js'
export type { Reason } from '../wire/reason.js'
export type { Risk } from '../wire/risk.js'
export type {
  NewWithdrawalSchedule,
  ScheduleFilter,
  ScheduleFiring,
  WithdrawalSchedule,
  WithdrawalScheduleChange,
  WithdrawalScheduleWithTimes,
} from '../wire/schedule.js'
export type { DateRange } from '../wire/time.js'
export type { NewWallet, Wallet, WalletFilter } from '../wire/wallet.js'
export type {
  Attempt,
  NewWithdrawal,
  Retry,
  SpeedUp,
  Withdrawal,
  WithdrawalFilter,
  WithdrawalStatus,
} from '../wire/withdrawal.js'
export type { Paging }

export interface NetworkStatus {
  readonly network: string
  readonly family: 'utxo' | 'evm'
  readonly chain_id: string
  readonly confirmations: number
  readonly coins: readonly {
    readonly coin: string
    readonly decimals: number
    readonly contract: string | null
    /** Whole coins; what arrives in smaller transfers is not credited. */
    readonly minimum: string
    readonly confirmations: number
    readonly confirmation_tiers: readonly { readonly from: string; readonly confirmations: number }[]
  }[]
  readonly health: 'ok' | 'degraded' | 'starting'
  readonly health_note: string | null
  readonly head_height: number | null
  readonly scanned_height: number | null
  readonly lag_blocks: number | null
  readonly updated_at: string | null
}

export interface PolicyVersion extends Policy {
  /** 0 until the first change holds. */
  readonly version: number
  readonly effective_at: string | null
  readonly pending_changes: readonly string[]
}

/** What changes a merchant's controls: two approvals, then the cool-down for what loosens. */
interface ControlChange {
  readonly id: string
  /** When all of it holds; until it is approved, the earliest that this can be. */
  readonly effective_at: string
  readonly intent_hash: string
  readonly required_approvals: number
  readonly approvals: readonly ListedApproval[]
  readonly initiator: string
  readonly expires_at: string
  readonly created_at: string
}

export interface PolicyChange extends ControlChange {
  readonly state: ControlChangeState
  readonly changes: readonly PolicyEdit[]
}

export interface NewWhitelistEntry {
  readonly address: string
  readonly network: string
  readonly label: string
  readonly daily_limit?: string
  readonly monthly_limit?: string
}

export interface WhitelistEntry extends ControlChange {
  readonly address: string
  readonly network: string
  readonly label: string
  readonly daily_limit: string | null
  readonly monthly_limit: string | null
  readonly status: 'pending_approval' | 'cooling_down' | 'active' | 'rejected' | 'expired' | 'removed'
}

export interface WhitelistFilter extends Paging {
  readonly network?: string
  readonly address?: string
  readonly status?: WhitelistEntry['status']
}

export interface NewWebhookEndpoint {
  readonly url: string
  readonly event_types?: readonly (EventType | '*')[] | null
  readonly format?: 'keyturn' | 'layer1'
}

export interface WebhookEndpoint {
  readonly id: string
  readonly url: string
  readonly event_types: readonly string[] | null
  readonly format: 'keyturn' | 'layer1'
  readonly status: 'active' | 'disabled' | 'deleted'
  readonly previous_secret_until: string | null
  readonly created_at: string
}

export interface WebhookDelivery {
  readonly id: string
  readonly event_id: string
  readonly endpoint_id: string
  readonly event: string
  readonly status: DeliveryStatus
  readonly next_attempt_at: string | null
  readonly attempts: readonly {
    readonly number: number
    readonly at: string
    readonly status_code: number | null
    readonly duration_ms: number
    readonly error: string | null
  }[]
}

export interface AuditEntry {
  readonly sequence: number
  readonly at: string
  readonly actor: string
  readonly action: string
  readonly subject: string
  readonly data: Readonly<Record<string, unknown>>
  readonly previous_hash: string
  readonly hash: string
}
