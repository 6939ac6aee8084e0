/** Reads the decisions that count: their approver is still registered, or was when the threshold was met. */

import type { Approval } from '../../../domain/controls/approval.js'
import { iso, type Queryable, type Transaction } from '../../connect.js'

/** A stored decision with the person's reason. */
export interface StoredDecision extends Approval {
  readonly id: string
  readonly reason: string | null
}

/**
 * Returns the SQL condition under which a row of `approvals` counts. An approval does not count if its
 * approver was removed before the threshold was met. A rejection always counts, because it ended its subject
 * at once.
 */
export function decisionCounts(sql: Queryable) {
  return sql`
    (approvals.decision = 'reject' OR approvals.counted_at IS NOT NULL OR EXISTS (
      SELECT FROM approvers WHERE approvers.id = approvals.approver_id AND approvers.revoked_at IS NULL))`
}

/** Returns the decisions that count, oldest first. The caller holds the subject's lock. */
export async function readDecisions(sql: Queryable, subjectId: string): Promise<StoredDecision[]> {
  const rows = await sql<StoredDecision[]>`
    SELECT id, approver_id, person_id, decision, intent_hash, signed_at, signature, reason FROM approvals
    WHERE subject_id = ${subjectId} AND ${decisionCounts(sql)} ORDER BY id`
  return [...rows]
}

/** Records that the threshold was met with these decisions. */
export async function markCounted(tx: Transaction, decisions: readonly StoredDecision[]): Promise<void> {
  await tx`
    UPDATE approvals SET counted_at = clock_timestamp()
    WHERE id = ANY (${decisions.map((each) => each.id)}) AND decision = 'approve'`
}

/** Returns a SQL join that adds every decision about the subject as `decided.list`, in the form of the API. */
export function decisionsJoin(sql: Queryable, subject: 'withdrawal' | 'batch' | 'change') {
  return sql`
    LEFT JOIN LATERAL (
      SELECT jsonb_agg(jsonb_build_object(
        'id', id, 'approver_id', approver_id, 'person_id', person_id, 'decision', decision, 'intent_hash', intent_hash,
        'signed_at', signed_at, 'signature', signature, 'reason', reason, 'counts', ${decisionCounts(sql)},
        'created_at', ${iso(sql, 'created_at')}) ORDER BY id) AS list
      FROM approvals WHERE subject_id = ${sql(subject)}.id
    ) decided ON true`
}
