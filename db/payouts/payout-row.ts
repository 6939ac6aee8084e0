/** A row of `withdrawals` as the database returns it. */

import type { Requirement } from '../../domain/controls/approval.js'
import type { Intent } from '../../domain/controls/intent.js'
import type { RiskAssessment } from '../../domain/controls/risk.js'
import type { Priority } from '../../domain/payouts/priority.js'
import type { WithdrawalStage } from '../../domain/payouts/withdrawal-stage.js'
import type { Queryable, Transaction } from '../connect.js'

/** One line of `history`: every stage with its time and cause. */
export interface WithdrawalHistoryEntry {
  readonly stage: WithdrawalStage
  readonly status: string
  /** ISO 8601 UTC. */
  readonly at: string
  /** Who or what moved it: an actor of the audit log, or a plain reason. */
  readonly cause: string
}

/** Why nothing moves at the moment; shown to merchants and operators. */
export interface Waiting {
  readonly code: string
  readonly message: string
  /** ISO 8601 UTC of when it began to wait for this. */
  readonly since: string
}

/** A dearer attempt that somebody asked for. */
export interface SpeedUpRequest {
  readonly priority: Priority
  /** The most that the fee may be, in base units of the fee's coin; null is the withdrawal's own limit. */
  readonly max_fee: string | null
  /** An actor of the audit log. */
  readonly requested_by: string
  /** ISO 8601 UTC. */
  readonly requested_at: string
}

/** A person's decision that a transaction which pays nobody shall take the payment's place. */
export interface CancellationRequest {
  readonly requested_by: string
  /** ISO 8601 UTC. */
  readonly requested_at: string
  readonly reason: string
}

/** A person's decision about a risky withdrawal. */
export interface ReviewDecision {
  readonly decision: 'approve' | 'reject'
  /** Person's id. */
  readonly reviewer: string
  readonly reason: string
  /** ISO 8601 UTC. */
  readonly at: string
}

/** A person looks into it; nothing is built or handed to a signer meanwhile. */
export interface Investigation {
  readonly reason: string
  /** Actor of the audit log. */
  readonly by: string
  /** ISO 8601 UTC. */
  readonly at: string
}

/** What the screening service of destinations said; `pending` until it has. */
export interface Screening {
  readonly state: 'pending' | 'approved' | 'rejected' | 'review'
  readonly reason?: string | null
  /** The service's own id of the case. */
  readonly reference?: string | null
  /** ISO 8601 UTC. */
  readonly at?: string
}

/**
 * What a row is for: somebody's request, a transaction of a batch, a movement between our own wallets, or
 * filling a nonce gap.
 */
export type PayoutKind =
  | 'withdrawal'
  | 'batch_part'
  | 'consolidation'
  | 'gas_funding'
  | 'rebalance'
  | 'nonce_fill'

/** One payment of a part of a batch. */
export interface PartOutput {
  /** In the outputs of the batch's intent. */
  readonly index: number
  readonly address: string
  /** Base units, decimal digits. */
  readonly amount: string
}

/** Amounts in base units. */
export interface PayoutRow {
  readonly id: string
  readonly kind: PayoutKind
  /** The batch of a part; null otherwise. */
  readonly batch_id: string | null
  readonly merchant_id: string
  readonly external_id: string | null
  readonly user_reference: string | null
  readonly network: string
  readonly coin: string
  readonly amount: bigint
  /** As it was sent, in whole coins; null: canonical. */
  readonly amount_text: string | null
  readonly to_address: string
  /** What a part of a batch pays; null: all of `amount` to `to_address`. */
  readonly outputs: readonly PartOutput[] | null
  readonly from_address_id: string | null
  readonly from_address: string | null
  readonly fee_payer: 'sender' | 'recipient'
  readonly priority: Priority
  readonly fee_coin: string
  readonly fee_estimate: bigint
  readonly fee_limit: bigint
  readonly fee: bigint | null
  readonly stage: WithdrawalStage
  readonly failure_code: string | null
  readonly failure_message: string | null
  readonly waiting: Waiting | null
  readonly speed_up: SpeedUpRequest | null
  readonly cancellation: CancellationRequest | null
  /** Null for a part of a batch, whose intent is the batch's. */
  readonly intent: Intent | null
  readonly intent_hash: string
  readonly initiator: string
  readonly co_initiators: readonly string[]
  /** What the policy asked for when the withdrawal was made. */
  readonly approval_requirement: Requirement
  readonly risk: RiskAssessment | null
  readonly review_required: boolean
  readonly review: ReviewDecision | null
  readonly metadata: Readonly<Record<string, unknown>>
  readonly required_confirmations: number
  readonly confirmations: number
  readonly transaction_hash: string | null
  readonly block_number: bigint | null
  readonly history: readonly WithdrawalHistoryEntry[]
  readonly estimated_confirmation_at: Date
  readonly expires_at: Date
  readonly created_at: Date
  readonly updated_at: Date
  readonly confirmed_at: Date | null
  /** The one that failed and that this one asks for again. */
  readonly retry_of: string | null
  readonly investigation: Investigation | null
  readonly screening: Screening | null
  /** How often the chain took back its end. */
  readonly reopened: number
  readonly workflow_started_at: Date | null
}

/** Reads a row of any kind. @throws when unknown. */
export async function findRow(sql: Queryable, id: string): Promise<PayoutRow> {
  const [row] = await sql<PayoutRow[]>`SELECT * FROM payouts WHERE id = ${id}`
  if (!row) throw new Error(`Withdrawal ${id} does not exist`)
  return row
}

/**
 * Locks a withdrawal until the transaction ends; whatever decides about it does so under this lock.
 *
 * @throws when unknown.
 */
export async function lockWithdrawal(tx: Transaction, id: string): Promise<PayoutRow> {
  const [row] = await tx<PayoutRow[]>`SELECT * FROM payouts WHERE id = ${id} FOR UPDATE`
  if (!row) throw new Error(`Withdrawal ${id} does not exist`)
  return row
}
