/** Joins the decisions about a subject into a query, as one JSON list. */

import { iso, type Queryable } from '../../connect.js'
import { decisionCounts } from './read-approvals.js'

/**
 * Joins every decision about a row as `decided.list`, in the form in which answers show it.
 *
 * @param subject - The alias of the subject's table in the query.
 */
export function approvalList(sql: Queryable, subject: 'withdrawal' | 'batch' | 'change') {
  return sql`
    LEFT JOIN LATERAL (
      SELECT jsonb_agg(jsonb_build_object(${signedFields(sql)},
        'id', id, 'reason', reason, 'counts', ${decisionCounts(sql)}, 'created_at', ${iso(sql, 'created_at')})
        ORDER BY id) AS list
      FROM approvals WHERE subject_id = ${sql(subject)}.id
    ) decided ON true`
}

/**
 * Joins the decisions about a payout that count as `decided.list`, in the form in which a signer checks them.
 */
export function signedApprovalList(sql: Queryable) {
  return sql`
    LEFT JOIN LATERAL (
      SELECT jsonb_agg(jsonb_build_object(${signedFields(sql)}) ORDER BY id) AS list
      FROM approvals
      WHERE subject_id = coalesce(payout.batch_id, payout.id) AND ${decisionCounts(sql)}
    ) decided ON true`
}

function signedFields(sql: Queryable) {
  return sql`
    'approver_id', approver_id, 'person_id', person_id, 'decision', decision, 'intent_hash', intent_hash,
    'signed_at', signed_at, 'signature', signature`
}
