/** The decisions about a subject that count: every approver who gave one is registered still, or was when the threshold was met. */

import type { Approval } from '../../../domain/controls/approval.js'
import { iso, type Queryable, type Transaction } from '../../connect.js'

/** A stored decision, and what the person said of it. */
export interface StoredDecision extends Approval {
  readonly id: string
  readonly reason: string | null
}

/**
 * Whether a row of `approvals` counts. The approval of an approver who was removed before the threshold was met does not; a
 * rejection ended its subject when it was given, and a removal takes nothing back.
 */
export function decisionCounts(sql: Queryable) {
  return sql`
    (approvals.decision = 'reject' OR approvals.counted_at IS NOT NULL OR EXISTS (
      SELECT FROM approvers WHERE approvers.id = approvals.approver_id AND approvers.revoked_at IS NULL))`
}

/** Those that count, oldest first; the caller holds the subject's lock. */
export async function readDecisions(sql: Queryable, subjectId: string): Promise<StoredDecision[]> {
  const rows = await sql<StoredDecision[]>`
    SELECT id, approver_id, person_id, decision, intent_hash, signed_at, signature, reason FROM approvals
    WHERE subject_id = ${subjectId} AND ${decisionCounts(sql)} ORDER BY id`
  return [...rows]
}

/** Says that the threshold was met with these. */
export async function markCounted(tx: Transaction, decisions: readonly StoredDecision[]): Promise<void> {
  await tx`
    UPDATE approvals SET counted_at = clock_timestamp()
    WHERE id = ANY (${decisions.map((each) => each.id)}) AND decision = 'approve'`
}

/** Every decision about the subject as `decided.list`, as answers show them; joined into queries that end in a view. */
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
