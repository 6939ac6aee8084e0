/** Cancels a batch that is not approved yet. The row's lock decides the race with the last approval. */

import type { Networks } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import { isBatchPending } from '../../../domain/payouts/batch-status.js'
import type { Transaction } from '../../connect.js'
import { lockBatch } from './batch-row.js'
import { findBatch } from './find-batch.js'
import { moveBatch } from './move-batch.js'

/**
 * Cancels the whole batch and releases the hold.
 *
 * @throws KeyturnError `NOT_FOUND`; `WITHDRAWAL_NOT_CANCELLABLE` once it is approved, and at every end.
 */
export async function cancelBatch(
  tx: Transaction,
  networks: Networks,
  request: { readonly merchantId: string; readonly id: string; readonly actor: string },
): Promise<void> {
  await findBatch(tx, request.merchantId, request.id)
  const row = await lockBatch(tx, request.id)
  if (isBatchPending(row.stage)) {
    await moveBatch(tx, networks, row, { to: 'cancelled', actor: request.actor })
    return
  }
  throw new KeyturnError(
    'WITHDRAWAL_NOT_CANCELLABLE',
    row.stage === 'approved'
      ? 'This batch is approved and its payouts are under way, so it can no longer be cancelled'
      : `A batch in stage ${row.stage} can no longer be cancelled`,
    { details: { id: row.id, stage: row.stage } },
  )
}
