/** Decisions that are stored and did not reach their workflow yet. */

import type { Approval, Decision } from '../../../domain/controls/approval.js'
import type { Queryable } from '../../connect.js'
import { notPutOff } from '../../operations/sweep-failures.js'
import type { ApprovalSubjectType } from './approval-subject.js'

/** Taken at a time; the next sweep takes the next. */
const BATCH = 500

export interface UnsignalledApproval {
  readonly id: string
  readonly merchantId: string
  readonly subjectType: ApprovalSubjectType
  readonly subjectId: string
  readonly approval: Approval
}

/**
 * The oldest first, of workflows that were started: a signal to one that was not would be lost.
 *
 * @param olderThanMs - Leaves alone what the API is signalling right now.
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
