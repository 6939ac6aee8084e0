/** Lists stored decisions that have not reached their workflow. */

import type { Approval, Decision } from '../../../domain/controls/approval.js'
import type { Queryable } from '../../connect.js'
import { notPutOff } from '../../operations/sweep-failures.js'
import type { ApprovalSubjectType } from './approval-subject.js'

/** Decisions of one sweep. The next sweep takes the next ones. */
const BATCH = 500

export interface UnsignalledApproval {
  readonly id: string
  readonly merchantId: string
  readonly subjectType: ApprovalSubjectType
  readonly subjectId: string
  readonly approval: Approval
}

/**
 * Returns decisions, oldest first, whose workflow was started. A signal to a workflow that was not would be
 * lost.
 *
 * @param olderThanMs - Minimum age, so that the sweeper does not repeat a signal that the API is sending now.
 */
export async function unsignalledApprovals(
  sql: Queryable,
  olderThanMs: number,
): Promise<UnsignalledApproval[]> {
  const rows = await sql<
    {
      id: string
      merchant_id: string
      subject_type: ApprovalSubjectType
      subject_id: string
      approver_id: string
      person_id: string
      decision: Decision
      intent_hash: string
      signed_at: string
      signature: string
    }[]
  >`
    SELECT id, merchant_id, subject_type, subject_id, approver_id, person_id, decision, intent_hash, signed_at, signature
    FROM approvals
    WHERE signalled_at IS NULL AND ${notPutOff(sql, 'approvals.id')} AND created_at < clock_timestamp() - ${olderThanMs} * interval '1 millisecond'
      AND NOT EXISTS (
        SELECT 1 FROM payouts WHERE payouts.id = approvals.subject_id AND workflow_started_at IS NULL)
      AND NOT EXISTS (SELECT 1 FROM batches WHERE batches.id = approvals.subject_id AND workflow_started_at IS NULL)
      AND NOT EXISTS (
        SELECT 1 FROM control_changes WHERE control_changes.id = approvals.subject_id AND workflow_started_at IS NULL)
    ORDER BY created_at LIMIT ${BATCH}`
  return rows.map(({ id, merchant_id, subject_type, subject_id, ...approval }) => ({
    id,
    merchantId: merchant_id,
    subjectType: subject_type,
    subjectId: subject_id,
    approval: { ...approval },
  }))
}
