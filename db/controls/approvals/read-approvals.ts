/** Reads the decisions about a subject that count. */

import type { Approval } from '../../../domain/controls/approval.js'
import type { Queryable } from '../../connect.js'

/** A stored decision with the reason that the person gave. */
export interface StoredDecision extends Approval {
  readonly id: string
  readonly reason: string | null
}

/**
 * Says whether a row of `approvals` counts. The approval of an approver who was removed before the threshold
 * was met does not. A rejection always counts: it ended its subject when it was given, and a removal takes
 * nothing back.
 */
export function decisionCounts(sql: Queryable) {
  return sql`
    (approvals.decision = 'reject' OR approvals.counted_at IS NOT NULL OR EXISTS (
      SELECT FROM approvers WHERE approvers.id = approvals.approver_id AND approvers.revoked_at IS NULL))`
}

/** Reads the decisions that count, oldest first. The caller holds the subject's lock. */
export async function readApprovals(sql: Queryable, subjectId: string): Promise<StoredDecision[]> {
  const rows = await sql<StoredDecision[]>`
    SELECT id, approver_id, person_id, decision, intent_hash, signed_at, signature, reason FROM approvals
    WHERE subject_id = ${subjectId} AND ${decisionCounts(sql)} ORDER BY id`
  return [...rows]
}
