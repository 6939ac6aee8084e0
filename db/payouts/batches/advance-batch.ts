/** Takes a batch as far as its stored decisions and the time allow. */

import { assertNever } from '../../../domain/assert-never.js'
import type { Networks } from '../../../domain/chain/network.js'
import type { BatchStage, BatchStatus, ItemCounts } from '../../../domain/payouts/batch-status.js'
import { isBatchPending } from '../../../domain/payouts/batch-status.js'
import { inTransaction, type Sql, type Transaction } from '../../connect.js'
import { countStoredApprovals, decideSubject } from '../../controls/approvals/decide-subject.js'
import { countBatchItems } from './batch-items.js'
import { type BatchRow, lockBatch } from './batch-row.js'
import { moveBatch } from './move-batch.js'

/** Progress of a batch. Small and JSON, because it goes into the workflow's history. */
export interface BatchProgress {
  readonly stage: BatchStage
  readonly status: BatchStatus
  readonly counts: ItemCounts
  /** Number of persons who have approved so far. `required` is how many must. */
  readonly approvals: number
  readonly required: number
  /** Number of parts of an approved batch whose workflow was not started yet. */
  readonly unstarted: number
  readonly failure: string | null
}

const ACTOR = 'system:batch'

/**
 * Admits, decides or expires a batch. Safe to call at any time and any number of times. Only stored, signed
 * decisions count.
 *
 * @param now - Clock of the process that waits.
 */
export async function advanceBatch(
  sql: Sql,
  networks: Networks,
  id: string,
  now: Date,
): Promise<BatchProgress> {
  return inTransaction(sql, async (tx) => {
    let row = await lockBatch(tx, id)
    if (row.stage === 'requested') {
      const to = row.review_required ? 'pending_review' : 'pending_approval'
      await moveBatch(tx, networks, row, { to, actor: ACTOR })
      row = await lockBatch(tx, id)
    }
    if (isBatchPending(row.stage)) await decide(tx, networks, row, now)
    return await progress(tx, id)
  })
}

async function decide(tx: Transaction, networks: Networks, row: BatchRow, now: Date): Promise<void> {
  const verdict = await decideSubject(tx, row, {
    requirement: row.approval_requirement,
    mayApprove: row.stage === 'pending_approval',
    now,
  })
  switch (verdict.kind) {
    case 'waiting':
      return
    case 'approved':
      return moveBatch(tx, networks, row, { to: 'approved', actor: ACTOR, cause: verdict.cause })
    case 'rejected': {
      const { actor, failure } = verdict
      return moveBatch(tx, networks, row, { to: 'rejected', actor, failure })
    }
    case 'expired': {
      const message = `It was not approved until ${row.expires_at.toISOString()}`
      return moveBatch(tx, networks, row, {
        to: 'expired',
        actor: ACTOR,
        failure: { code: 'EXPIRED', message },
      })
    }
    default:
      assertNever(verdict)
  }
}

async function progress(tx: Transaction, id: string): Promise<BatchProgress> {
  const row = await lockBatch(tx, id)
  const [parts] = await tx<{ unstarted: number }[]>`
    SELECT count(*)::int AS unstarted FROM payouts
    WHERE batch_id = ${id} AND stage = 'approved' AND workflow_started_at IS NULL`
  return {
    stage: row.stage,
    status: row.status,
    counts: await countBatchItems(tx, id),
    approvals: await countStoredApprovals(tx, row, row.approval_requirement),
    required: row.approval_requirement.count,
    unstarted: parts?.unstarted ?? 0,
    failure: row.failure_message,
  }
}
