/** A row of `batches` as the database returns it. */

import type { Requirement } from '../../../domain/controls/approval.js'
import type { RiskAssessment } from '../../../domain/controls/risk.js'
import type { BatchStage, BatchStatus } from '../../../domain/payouts/batch-status.js'
import type { Priority } from '../../../domain/payouts/priority.js'
import type { Queryable, Transaction } from '../../connect.js'
import type { ReviewDecision } from '../payout-row.js'

/** One line of `history`: each stage with its time and cause. */
export interface BatchHistoryEntry {
  readonly stage: BatchStage
  readonly status: BatchStatus
  /** Time, ISO 8601 UTC. */
  readonly at: string
  /** Cause of the move. */
  readonly cause: string
}

/** A row without its intent, which may be long and is read by `findBatch`. Amounts are in base units. */
export interface BatchRow {
  readonly id: string
  readonly merchant_id: string
  readonly external_id: string | null
  readonly user_reference: string | null
  readonly network: string
  readonly coin: string
  readonly amount: bigint
  readonly item_count: number
  readonly priority: Priority
  readonly fee_coin: string
  readonly fee_estimate: bigint
  readonly fee_limit: bigint
  readonly stage: BatchStage
  readonly status: BatchStatus
  readonly failure_code: string | null
  readonly failure_message: string | null
  readonly intent_hash: string
  readonly initiator: string
  readonly approval_requirement: Requirement
  readonly risk: RiskAssessment | null
  readonly review_required: boolean
  readonly review: ReviewDecision | null
  readonly history: readonly BatchHistoryEntry[]
  readonly expires_at: Date
  readonly created_at: Date
  readonly updated_at: Date
  readonly completed_at: Date | null
  readonly workflow_started_at: Date | null
}

/**
 * Locks a batch until the transaction ends. While it is pending, every decision takes this lock before those
 * of its parts. Afterwards only parts move, each taking its own lock first. So the two orders never meet.
 *
 * @throws Error when it does not exist.
 */
export async function lockBatch(tx: Transaction, id: string): Promise<BatchRow> {
  const [row] = await tx<BatchRow[]>`
    SELECT ${batchColumns(tx)} FROM batches batch WHERE id = ${id} FOR UPDATE`
  if (!row) throw new Error(`Batch ${id} does not exist`)
  return row
}

/** Returns what the ledger's journals need to know about a batch: its sender pays the fees. */
export function termsOf(row: BatchRow) {
  return { ...row, fee_payer: 'sender' as const }
}

/** Returns the columns of a `BatchRow`. `batch` is the table's alias in the query. */
export function batchColumns(sql: Queryable) {
  return sql`
    batch.id, batch.merchant_id, batch.external_id, batch.user_reference, batch.network, batch.coin, batch.amount,
    batch.item_count, batch.priority, batch.fee_coin, batch.fee_estimate, batch.fee_limit, batch.stage, batch.status,
    batch.failure_code, batch.failure_message, batch.intent_hash, batch.initiator, batch.approval_requirement, batch.risk,
    batch.review_required, batch.review, batch.history, batch.expires_at, batch.created_at, batch.updated_at,
    batch.completed_at, batch.workflow_started_at`
}
