/** Takes a batch as far as its stored decisions and the time allow. */

import type { Networks } from '../../../domain/chain/network.js'
import { initiatorsOf, tallyApprovals } from '../../../domain/controls/approval.js'
import type { BatchStage, BatchStatus, ItemCounts } from '../../../domain/payouts/batch-status.js'
import { isBatchPending } from '../../../domain/payouts/batch-status.js'
import { inTransaction, type Sql, type Transaction } from '../../connect.js'
import { decisionCounts, markCounted, readDecisions } from '../../controls/approvals/decisions.js'
import { countBatchItems } from './batch-items.js'
import { type BatchRow, lockBatch } from './batch-row.js'
import { moveBatch } from './move-batch.js'

/** Small and JSON, because it goes into the workflow's history. */
export interface BatchProgress {
  readonly stage: BatchStage
  readonly status: BatchStatus
  readonly counts: ItemCounts
  /** Persons who have approved so far, and how many must. */
  readonly approvals: number
  readonly required: number
  /** Parts of an approved batch whose own workflow was not started yet. */
  readonly unstarted: number
  readonly failure: string | null
}

/**
 * Admits, decides or expires; safe to call at any time and any number of times. Only stored, signed decisions
 * count.
 *
 * @param now - The clock of the process that waits.
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
      await moveBatch(tx, networks, row, { to, actor: 'system:batch' })
      row = await lockBatch(tx, id)
    }
    if (isBatchPending(row.stage)) await decide(tx, networks, row, now)
    return await progress(tx, id)
  })
}

async function decide(tx: Transaction, networks: Networks, row: BatchRow, now: Date): Promise<void> {
  const approvals = await readDecisions(tx, row.id)
  const intent = { hash: row.intent_hash, initiators: initiatorsOf(row) }
  const tally = tallyApprovals(approvals, intent, row.approval_requirement)
  if (tally === 'rejected') {
    const rejection = approvals.find((approval) => approval.decision === 'reject')
    const reason = rejection?.reason ? `: ${rejection.reason}` : ''
    await moveBatch(tx, networks, row, {
      to: 'rejected',
      actor: `person:${rejection?.person_id ?? 'unknown'}`,
      failure: { code: 'REJECTED', message: `Rejected by an approver${reason}` },
    })
  } else if (tally === 'approved' && row.stage === 'pending_approval') {
    await markCounted(tx, approvals)
    const persons = approvals.map((approval) => approval.person_id)
    await moveBatch(tx, networks, row, {
      to: 'approved',
      actor: 'system:batch',
      cause: `approved by ${persons.join(' and ')}`,
    })
  } else if (row.expires_at <= now) {
    await moveBatch(tx, networks, row, {
      to: 'expired',
      actor: 'system:batch',
      failure: { code: 'EXPIRED', message: `It was not approved until ${row.expires_at.toISOString()}` },
    })
  }
}

async function progress(tx: Transaction, id: string): Promise<BatchProgress> {
  const row = await lockBatch(tx, id)
  const [more] = await tx<{ approvals: number; unstarted: number }[]>`
    SELECT (SELECT count(DISTINCT person_id)::int FROM approvals
            WHERE subject_id = ${id} AND decision = 'approve' AND person_id <> ${row.initiator}
              AND ${decisionCounts(tx)}) AS approvals,
           (SELECT count(*)::int FROM payouts
            WHERE batch_id = ${id} AND stage = 'approved' AND workflow_started_at IS NULL) AS unstarted`
  return {
    stage: row.stage,
    status: row.status,
    counts: await countBatchItems(tx, id),
    approvals: more?.approvals ?? 0,
    required: row.approval_requirement.count,
    unstarted: more?.unstarted ?? 0,
    failure: row.failure_message,
  }
}
