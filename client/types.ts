/** What the API takes and answers, for callers; amounts are decimal strings in whole coins, times ISO 8601 UTC. */

import type { ControlChangeState } from '../domain/controls/control-change.js'
import type { Policy } from '../domain/controls/policy.js'
import type { PolicyEdit } from '../domain/controls/policy-change.js'
import type { RiskAssessment } from '../domain/controls/risk.js'
import type { DeliveryStatus } from '../domain/events/delivery-status.js'
import type { EventType } from '../domain/events/event.js'
import type { WithdrawalStage, WithdrawalStatus } from '../domain/payouts/withdrawal-stage.js'
import type { Paging } from '../wire/paging.js'
import type { DateRange } from '../wire/time.js'

export type { Address, AddressFilter, NewAddress } from '../wire/address.js'
export type {
  AwaitedApproval,
  Deposit,
  DepositAwaitingApproval,
  DepositFilter,
  DepositWithHistory,
} from '../wire/deposit.js'
export type { Reason } from '../wire/reason.js'
export type { DateRange } from '../wire/time.js'
export type { Paging }

export interface Balance {
  readonly network: string
  readonly coin: string
  readonly available: string
  readonly reserved: string
  readonly blockchain: string
  readonly pending: string
  /** What of `blockchain` can pay now, in however many payments; null of the past. In `GET /balances` alone. */
  readonly spendable?: string | null
  /** The most that one payment can take of it. */
  readonly spendable_at_once?: string | null
}

export interface BalanceFilter {
  readonly user_reference?: string
  readonly address_id?: string
  readonly network?: string
  readonly coin?: string
  readonly as_of?: string
}

export interface Wallet {
  readonly id: string
  readonly kind: 'master' | 'hot' | 'gas'
  readonly network: string
  readonly address: string
  readonly balances: readonly Balance[]
}

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

export type Priority = 'low' | 'normal' | 'high' | 'urgent'

export interface NewWithdrawal {
  readonly network: string
  readonly coin: string
  readonly amount: string
  readonly to_address: string
  readonly from_address_id?: string
  readonly priority?: Priority
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly user_reference?: string
  /** Unique for ever: a second withdrawal with it is refused. */
  readonly external_id?: string
  readonly fee_payer?: 'sender' | 'recipient'
}

export interface Withdrawal {
  readonly id: string
  readonly status: WithdrawalStatus
  readonly stage: WithdrawalStage
  readonly network: string
  readonly coin: string
  readonly amount: string
  readonly fee: string
  readonly fee_coin: string
  readonly to_address: string
  readonly from_address: string | null
  readonly user_reference: string | null
  readonly external_id: string | null
  readonly approvals: readonly {
    readonly approver_id: string
    readonly person_id: string
    readonly decision: 'approve' | 'reject'
    /** False for the approval of an approver who was removed before the threshold was met. */
    readonly counts: boolean
    readonly signed_at: string
  }[]
  readonly required_approvals: number
  readonly intent_hash: string
  readonly risk: RiskAssessment | null
  readonly review: ({ readonly required: boolean } & Partial<ReviewDecision>) | null
  readonly failure: { readonly code: string; readonly message: string } | null
  /** The transactions that pay it, or cancel it; newest first, one of them is mined at most. */
  readonly attempts: readonly WithdrawalAttempt[]
  /** The dearer attempt that was asked for and is not at the signer yet. */
  readonly speed_up: { readonly priority: Priority; readonly max_fee: string | null } | null
  readonly cancellation: { readonly requested_by: string; readonly reason: string } | null
  readonly retry_of: string | null
  readonly retried_by: string | null
  /** Of the attempt that is in the chain, else of the one that nodes took last. */
  readonly transaction_hash: string | null
  readonly confirmations: number
  readonly required_confirmations: number
  readonly created_at: string
  readonly confirmed_at: string | null
  readonly [field: string]: unknown
}

/** One transaction that was made for a withdrawal; fees in whole `fee_coin`. */
export interface WithdrawalAttempt {
  readonly number: number
  /** `cancel` pays nobody and takes the payment's place. */
  readonly purpose: 'pay' | 'cancel'
  readonly cause: 'first' | 'speed_up' | 'lagging' | 'cancel'
  readonly priority: Priority
  readonly state: 'built' | 'signed' | 'broadcast' | 'mined' | 'final' | 'replaced' | 'abandoned'
  readonly transaction_hash: string | null
  readonly max_fee: string
  readonly fee: string | null
}

export interface WithdrawalFilter extends Paging, DateRange {
  readonly status?: WithdrawalStatus
  readonly network?: string
  readonly coin?: string
  readonly user_reference?: string
  readonly external_id?: string
}

/** A stored decision. */
export interface Approval {
  readonly id: string
  readonly subject_id: string
  readonly approver_id: string
  readonly person_id: string
  readonly decision: 'approve' | 'reject'
  readonly intent_hash: string
  readonly signed_at: string
  readonly signature: string
  readonly created_at: string
}

/** A decision as an approver's own key sends it. */
export interface ApprovalDecision {
  readonly decision: 'approve' | 'reject'
  readonly intent_hash: string
  readonly signed_at: string
  /** Base64 Ed25519. */
  readonly signature: string
  readonly reason?: string
}

/** Who decided about a withdrawal that looked risky is another person than who asked for it. */
export interface ReviewDecision {
  readonly decision: 'approve' | 'reject'
  readonly reason: string
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
  readonly approvals: Withdrawal['approvals']
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
