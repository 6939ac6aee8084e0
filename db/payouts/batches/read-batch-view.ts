/** Batches as the API answers (contract section 3). */

import { findNetwork, knownCoin, type Networks } from '../../../domain/chain/network.js'
import type { RiskAssessment } from '../../../domain/controls/risk.js'
import { formatAmount } from '../../../domain/money.js'
import type { BatchStage, BatchStatus, ItemCounts } from '../../../domain/payouts/batch-status.js'
import type { Priority } from '../../../domain/payouts/priority.js'
import { UNSPENT_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import type { Queryable } from '../../connect.js'
import { decisionsJoin } from '../../controls/approvals/decisions.js'
import { members } from '../../members.js'
import type { ReviewDecision } from '../payout-row.js'
import type { ApprovalView } from '../withdrawals/read-withdrawal-view.js'
import { type BatchItemView, countBatchItems, readBatchItems } from './batch-items.js'
import { type BatchHistoryEntry, type BatchRow, batchColumns } from './batch-row.js'

/** What a list shows of a batch. Amounts are decimal strings in whole coins; times ISO 8601 UTC. */
export interface BatchSummary {
  readonly id: string
  readonly status: BatchStatus
  readonly stage: BatchStage
  readonly network: string
  readonly coin: string
  /** Of all items. */
  readonly amount: string
  readonly item_count: number
  /** In whole `fee_coin`, over all transactions: estimates until the real ones are known. */
  readonly fee: string
  readonly fee_coin: string
  readonly fee_limit: string
  readonly priority: Priority
  readonly user_reference: string | null
  readonly external_id: string | null
  readonly approvals: readonly ApprovalView[]
  readonly required_approvals: number
  /** Ids of those whose approval counts; empty where every approver's does. */
  readonly required_signers: readonly string[]
  /** Roles of which at least one must approve. */
  readonly required_roles: readonly string[]
  readonly intent_hash: string
  readonly risk: RiskAssessment | null
  readonly review: (Partial<ReviewDecision> & { readonly required: boolean }) | null
  readonly failure: { readonly code: string; readonly message: string } | null
  readonly history: readonly BatchHistoryEntry[]
  readonly expires_at: string
  readonly created_at: string
  readonly updated_at: string
  readonly completed_at: string | null
}

export interface BatchView extends BatchSummary {
  readonly counts: ItemCounts
  /** In the order of the request. */
  readonly items: readonly BatchItemView[]
}

/** A row with what other tables know about it. */
export interface BatchViewRow extends BatchRow {
  readonly fee: bigint
  readonly approval_list: readonly ApprovalView[]
}

/** The columns and joins of every query that ends in a view; `batch` is the table's alias in it. */
export function batchViewQuery(sql: Queryable) {
  return sql`
    SELECT ${batchColumns(sql)}, coalesce(decided.list, '[]') AS approval_list, paid.fee
    FROM batches batch
    LEFT JOIN LATERAL (
      SELECT coalesce(sum(coalesce(part.fee, part.fee_estimate)), 0)::numeric AS fee FROM payouts part
      WHERE part.batch_id = batch.id
        AND (part.fee IS NOT NULL OR part.stage NOT IN ${members(sql, UNSPENT_PAYOUTS)})
    ) paid ON true
    ${decisionsJoin(sql, 'batch')}`
}

/** Reads a merchant's batch with its items, or null. */
export async function readBatchView(
  sql: Queryable,
  networks: Networks,
  id: string,
  merchantId: string,
): Promise<BatchView | null> {
  const [row] = await sql<BatchViewRow[]>`
    ${batchViewQuery(sql)} WHERE batch.id = ${id} AND batch.merchant_id = ${merchantId}`
  if (!row) return null
  return {
    ...toBatchSummary(networks, row),
    counts: await countBatchItems(sql, id),
    items: await readBatchItems(sql, id),
  }
}

/** Turns a row into what a list shows. */
export function toBatchSummary(networks: Networks, row: BatchViewRow): BatchSummary {
  const network = findNetwork(networks, row.network)
  const coin = knownCoin(network, row.coin)
  const feeCoin = knownCoin(network, row.fee_coin)
  return {
    id: row.id,
    status: row.status,
    stage: row.stage,
    network: row.network,
    coin: row.coin,
    amount: formatAmount(row.amount, coin.decimals),
    item_count: row.item_count,
    fee: formatAmount(row.fee, feeCoin.decimals),
    fee_coin: row.fee_coin,
    fee_limit: formatAmount(row.fee_limit, feeCoin.decimals),
    priority: row.priority,
    user_reference: row.user_reference,
    external_id: row.external_id,
    approvals: row.approval_list,
    required_approvals: row.approval_requirement.count,
    required_signers: row.approval_requirement.signers.map((signer) => signer.id),
    required_roles: row.approval_requirement.roles,
    intent_hash: row.intent_hash,
    risk: row.risk,
    review: row.review_required ? { required: true, ...row.review } : null,
    failure:
      row.failure_code === null ? null : { code: row.failure_code, message: row.failure_message ?? '' },
    history: row.history,
    expires_at: row.expires_at.toISOString(),
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    completed_at: row.completed_at?.toISOString() ?? null,
  }
}
