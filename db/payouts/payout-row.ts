/** A row of `payouts` as the database returns it. */

import type { Requirement } from '../../domain/controls/approval.js'
import type { Intent } from '../../domain/controls/intent.js'
import type { RiskAssessment } from '../../domain/controls/risk.js'
import type { Priority } from '../../domain/payouts/priority.js'
import type { WithdrawalStage } from '../../domain/payouts/withdrawal-stage.js'
import type { Queryable, Transaction } from '../connect.js'
import { lockRefund } from './withdrawals/lock-refund.js'

/** One line of `history`: each stage with its time and cause. */
export interface WithdrawalHistoryEntry {
  readonly stage: WithdrawalStage
  readonly status: string
  /** Time, ISO 8601 UTC. */
  readonly at: string
  /** Cause of the move: an actor of the audit log, or a plain reason. */
  readonly cause: string
}

/** Reason why nothing moves at the moment, shown to merchants and operators. */
export interface Waiting {
  readonly code: string
  readonly message: string
  /** Time since when it waits for this, ISO 8601 UTC. */
  readonly since: string
}

/** A person's request for an attempt at a higher fee. */
export interface SpeedUpRequest {
  readonly priority: Priority
  /** Highest fee allowed, in base units of the fee's coin. `null`: the withdrawal's own limit. */
  readonly max_fee: string | null
  /** Actor of the audit log. */
  readonly requested_by: string
  /** Time, ISO 8601 UTC. */
  readonly requested_at: string
}

/**
 * A person's decision that a cancelling transaction, which has no recipients, shall take the payout's place.
 */
export interface CancellationRequest {
  readonly requested_by: string
  /** Time, ISO 8601 UTC. */
  readonly requested_at: string
  readonly reason: string
}

/** A reviewer's decision about a risky withdrawal. */
export interface ReviewDecision {
  readonly decision: 'approve' | 'reject'
  /** Id of the person. */
  readonly reviewer: string
  readonly reason: string
  /** Time, ISO 8601 UTC. */
  readonly at: string
}

/** A person investigates the payout. Nothing is built or handed to a signer meanwhile. */
export interface Investigation {
  readonly reason: string
  /** Actor of the audit log. */
  readonly by: string
  /** Time, ISO 8601 UTC. */
  readonly at: string
}

/** Answer of the screening service about a destination; `pending` until it answers. */
export interface Screening {
  readonly state: 'pending' | 'approved' | 'rejected' | 'review'
  readonly reason?: string | null
  /** Id of the case at the service. */
  readonly reference?: string | null
  /** Time, ISO 8601 UTC. */
  readonly at?: string
}

/**
 * Kind of a payout: a merchant's request, a transaction of a batch, a movement between the merchant's own
 * wallets, or a nonce fill.
 */
export type PayoutKind =
  | 'withdrawal'
  | 'batch_part'
  | 'consolidation'
  | 'gas_funding'
  | 'rebalance'
  | 'nonce_fill'

/** One item of a part of a batch. */
export interface PartOutput {
  /** Index in the outputs of the batch's intent. */
  readonly index: number
  readonly address: string
  /** Amount in base units, decimal digits. */
  readonly amount: string
}

/** A row of `payouts`. Amounts are in base units. */
export interface PayoutRow {
  readonly id: string
  readonly kind: PayoutKind
  /** Batch of a part. `null` for every other kind. */
  readonly batch_id: string | null
  readonly merchant_id: string
  readonly external_id: string | null
  readonly user_reference: string | null
  readonly network: string
  readonly coin: string
  readonly amount: bigint
  /** Amount as it was sent, in whole coins. `null`: the canonical form. */
  readonly amount_text: string | null
  readonly to_address: string
  /** Items that a part of a batch pays. `null`: all of `amount` goes to `to_address`. */
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
  /** `null` for a part of a batch, whose intent is the batch's. */
  readonly intent: Intent | null
  readonly intent_hash: string
  readonly initiator: string
  readonly co_initiators: readonly string[]
  /** Approvals that the policy required when the withdrawal was created. */
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
  /** Withdrawal that failed and that this one retries. */
  readonly retry_of: string | null
  /** Exception that it refunds. `null` if it is no refund. */
  readonly exception_id: string | null
  readonly investigation: Investigation | null
  readonly screening: Screening | null
  /** Number of times that a reorg removed its final transaction. */
  readonly reopened: number
  readonly workflow_started_at: Date | null
}

/** Reads a row of any kind. @throws Error when it does not exist. */
export async function findRow(sql: Queryable, id: string): Promise<PayoutRow> {
  const [row] = await sql<PayoutRow[]>`SELECT * FROM payouts WHERE id = ${id}`
  if (!row) throw new Error(`Withdrawal ${id} does not exist`)
  return row
}

/**
 * Locks a payout until the transaction ends, and what it refunds. Every decision about it is made under this lock.
 *
 * @throws Error when it does not exist.
 */
export async function lockWithdrawal(tx: Transaction, id: string): Promise<PayoutRow> {
  const [row] = await tx<PayoutRow[]>`SELECT * FROM payouts WHERE id = ${id} FOR UPDATE`
  if (!row) throw new Error(`Withdrawal ${id} does not exist`)
  await lockRefund(tx, row)
  return row
}
