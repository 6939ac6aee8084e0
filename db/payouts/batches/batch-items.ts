/** The items of a batch, with the status of each, as answers and events show them. */

import { type ItemCounts, NO_ITEMS } from '../../../domain/payouts/batch-status.js'
import {
  WITHDRAWAL_STATUS,
  type WithdrawalStage,
  type WithdrawalStatus,
} from '../../../domain/payouts/withdrawal-stage.js'
import type { BatchItem } from '../../../wire/batch.js'
import type { Queryable } from '../../connect.js'

interface ItemRow {
  readonly id: string
  readonly index: number
  readonly to_address: string
  readonly amount_sent: string
  readonly ejected_code: string | null
  readonly ejected_message: string | null
  readonly stage: WithdrawalStage
  readonly transaction_hash: string | null
  readonly failure_code: string | null
  readonly failure_message: string | null
}

/** Reads all items in their order, or only those with these indices. */
export async function readBatchItems(
  sql: Queryable,
  batchId: string,
  indices?: readonly number[],
): Promise<BatchItem[]> {
  const rows = await sql<ItemRow[]>`
    SELECT item.id, item.index, item.to_address, item.amount_sent, item.failure_code AS ejected_code,
           item.failure_message AS ejected_message, part.stage, part.transaction_hash, part.failure_code,
           part.failure_message
    FROM batch_items item JOIN payouts part ON part.id = item.part_id
    WHERE item.batch_id = ${batchId} ${indices ? sql`AND item.index = ANY (${[...indices]}::int[])` : sql``}
    ORDER BY item.index`
  return rows.map(toView)
}

/** Counts the items by status. */
export async function countBatchItems(sql: Queryable, batchId: string): Promise<ItemCounts> {
  const rows = await sql<{ stage: WithdrawalStage; items: number }[]>`
    SELECT CASE WHEN item.failure_code IS NULL THEN part.stage ELSE 'failed' END AS stage, count(*)::int AS items
    FROM batch_items item JOIN payouts part ON part.id = item.part_id
    WHERE item.batch_id = ${batchId} GROUP BY 1`
  const counts: Record<WithdrawalStatus, number> = { ...NO_ITEMS }
  for (const { stage, items } of rows) counts[WITHDRAWAL_STATUS[stage]] += items
  return counts
}

/** Turns a row into a view. An item that was taken out of its part has failed, even if the part is paid. */
function toView(row: ItemRow): BatchItem {
  const ejected = row.ejected_code !== null
  const code = row.ejected_code ?? row.failure_code
  const message = ejected ? row.ejected_message : row.failure_message
  return {
    id: row.id,
    index: row.index,
    to_address: row.to_address,
    amount: row.amount_sent,
    status: ejected ? 'failed' : WITHDRAWAL_STATUS[row.stage],
    transaction_hash: ejected ? null : row.transaction_hash,
    failure: code === null ? null : { code, message: message ?? '' },
  }
}
