/** Updates a batch after a change of a part, or of some of its items. */

import type { Networks } from '../../../domain/chain/network.js'
import { batchStatus } from '../../../domain/payouts/batch-status.js'
import { appendAudit } from '../../audit/append-audit.js'
import type { Transaction } from '../../connect.js'
import { appendBatchEvents } from './append-batch-events.js'
import { countBatchItems } from './batch-items.js'
import { lockBatch } from './batch-row.js'
import { storeMove } from './move-batch.js'

/**
 * Appends the event about the items that changed, and completes the batch when none is open any more. The
 * caller holds the part's lock and has changed the part already.
 *
 * @param changed - Indices of the items.
 */
export async function followPart(
  tx: Transaction,
  networks: Networks,
  batchId: string,
  changed: readonly number[],
): Promise<void> {
  const row = await lockBatch(tx, batchId)
  const counts = await countBatchItems(tx, batchId)
  const status = batchStatus(counts)
  const open = counts.pending + counts.processing + counts.broadcasting + counts.confirming
  const ends = open === 0 && row.stage === 'approved'
  if (ends) {
    const cause = `${counts.confirmed} of ${row.item_count} items paid`
    await storeMove(tx, row, status, { to: 'completed', actor: 'system:batch', cause })
  } else {
    await tx`UPDATE batches SET status = ${status}, updated_at = clock_timestamp() WHERE id = ${batchId}`
  }
  await appendBatchEvents(tx, networks, batchId, { previous: row.status, changed })
  if (!ends) return
  await appendAudit(tx, {
    merchantId: row.merchant_id,
    actor: 'system:batch',
    action: 'batch.completed',
    subject: batchId,
    data: { from: row.stage, status, counts },
  })
}
