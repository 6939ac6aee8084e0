/** Appends the events of a batch and of its items. */

import { findNetwork, knownCoin, type Networks } from '../../../domain/chain/network.js'
import { formatAmount } from '../../../domain/money.js'
import type { BatchStatus } from '../../../domain/payouts/batch-status.js'
import type { BatchStatusChanged } from '../../../wire/event.js'
import type { Transaction } from '../../connect.js'
import { appendEvents } from '../../events/log/append-events.js'
import { countBatchItems, readBatchItems } from './batch-items.js'
import { type BatchRow, batchColumns } from './batch-row.js'

/** Most items in one event, so that a webhook's body stays below what receivers accept by default. */
const ITEMS_AN_EVENT = 100

export interface BatchChange {
  /** Status of the batch before. `null` when the batch was just created. */
  readonly previous: BatchStatus | null
  /** Indices of the items whose status changed. Empty when all changed with the batch. */
  readonly changed: readonly number[]
}

/**
 * Appends `batch.status_changed` with the rows as they are now: one event, or several when many items changed
 * at once.
 */
export async function appendBatchEvents(
  tx: Transaction,
  networks: Networks,
  id: string,
  { previous, changed }: BatchChange,
): Promise<void> {
  const [row] = await tx<BatchRow[]>`SELECT ${batchColumns(tx)} FROM batches batch WHERE id = ${id}`
  if (!row) throw new Error(`Batch ${id} does not exist`)
  const { decimals } = knownCoin(findNetwork(networks, row.network), row.coin)
  const items = changed.length === 0 ? [] : await readBatchItems(tx, id, changed)
  const base = {
    id,
    status: row.status,
    previous_status: previous,
    stage: row.stage,
    network: row.network,
    coin: row.coin,
    amount: formatAmount(row.amount, decimals),
    item_count: row.item_count,
    counts: await countBatchItems(tx, id),
    user_reference: row.user_reference,
    external_id: row.external_id,
    failure:
      row.failure_code === null ? null : { code: row.failure_code, message: row.failure_message ?? '' },
    updated_at: row.updated_at.toISOString(),
  }
  const slices: BatchStatusChanged[] = []
  for (let at = 0; at === 0 || at < items.length; at += ITEMS_AN_EVENT) {
    slices.push({ ...base, items: items.slice(at, at + ITEMS_AN_EVENT) })
  }
  await appendEvents(
    tx,
    slices.map((data) => ({
      merchantId: row.merchant_id,
      type: 'batch.status_changed' as const,
      subject: id,
      data,
    })),
  )
}
