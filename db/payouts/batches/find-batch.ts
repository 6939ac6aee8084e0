/** Finds a merchant's batch, to read its intent or to decide about it. */

import { initiatorsOf } from '../../../domain/controls/approval.js'
import type { Intent } from '../../../domain/controls/intent.js'
import { KeyturnError } from '../../../domain/errors.js'
import { isBatchPending } from '../../../domain/payouts/batch-status.js'
import type { Queryable, Transaction } from '../../connect.js'
import type { ApprovalSubject } from '../../controls/approvals/approval-subject.js'
import { type BatchRow, batchColumns } from './batch-row.js'

/** Finds the batch. @throws KeyturnError `NOT_FOUND`, also for another merchant's batch. */
export async function findBatch(
  sql: Queryable,
  merchantId: string,
  id: string,
): Promise<BatchRow & { readonly intent: Intent }> {
  const [row] = await sql<(BatchRow & { readonly intent: Intent })[]>`
    SELECT * FROM batches WHERE id = ${id} AND merchant_id = ${merchantId}`
  if (!row) throw batchNotFound(id)
  return row
}

/** Finds and locks a batch for `recordApproval`. */
export async function lockBatchSubject(
  tx: Transaction,
  merchantId: string,
  id: string,
): Promise<ApprovalSubject> {
  const [row] = await tx<BatchRow[]>`
    SELECT ${batchColumns(tx)} FROM batches batch WHERE id = ${id} AND merchant_id = ${merchantId} FOR UPDATE`
  if (!row) throw batchNotFound(id)
  return {
    type: 'batch',
    id: row.id,
    intentHash: row.intent_hash,
    initiators: initiatorsOf(row),
    requirement: row.approval_requirement,
    open: isBatchPending(row.stage),
    state: row.stage,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  }
}

/** Returns the error `NOT_FOUND` for a batch. */
export function batchNotFound(id: string): KeyturnError {
  return new KeyturnError('NOT_FOUND', 'There is no such batch; check the id', { details: { id } })
}
