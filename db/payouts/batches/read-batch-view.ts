/** Batches as the API answers them. */

import { findNetwork, knownCoin, type Networks } from '../../../domain/chain/network.js'
import { formatAmount } from '../../../domain/money.js'
import { UNSPENT_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import type { ListedApproval } from '../../../wire/approval.js'
import type { Batch, BatchSummary } from '../../../wire/batch.js'
import type { Queryable } from '../../connect.js'
import { approvalList } from '../../controls/approvals/approval-list.js'
import { members } from '../../members.js'
import { countBatchItems, readBatchItems } from './batch-items.js'
import { type BatchRow, batchColumns } from './batch-row.js'

/** A row with what other tables know about it. */
export interface BatchViewRow extends BatchRow {
  readonly fee: bigint
  readonly approval_list: readonly ListedApproval[]
}

/** Returns the columns and joins of every query that ends in a view. `batch` is the table's alias in it. */
export function batchViewQuery(sql: Queryable, from = sql`batches`) {
  return sql`
    SELECT ${batchColumns(sql)}, coalesce(decided.list, '[]') AS approval_list, paid.fee
    FROM ${from} batch
    LEFT JOIN LATERAL (
      SELECT coalesce(sum(coalesce(part.fee, part.fee_estimate)), 0)::numeric AS fee FROM payouts part
      WHERE part.batch_id = batch.id
        AND (part.fee IS NOT NULL OR part.stage NOT IN ${members(sql, UNSPENT_PAYOUTS)})
    ) paid ON true
    ${approvalList(sql, 'batch')}`
}

/** Reads a merchant's batch with its items, or `null`. */
export async function readBatchView(
  sql: Queryable,
  networks: Networks,
  id: string,
  merchantId: string,
): Promise<Batch | null> {
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
