/** Lists changes of the policy in the form of the API. */

import type { ListedApproval } from '../../../wire/approval.js'
import type { PolicyChange } from '../../../wire/policy.js'
import type { Queryable } from '../../connect.js'
import type { Slice } from '../../slice.js'
import { approvalList } from '../approvals/approval-list.js'
import type { PolicyChangeRow } from '../changes/control-change-row.js'

/** A change with its decisions. */
export type DecidedRow<Row> = Row & { readonly approval_list: readonly ListedApproval[] }

/** Returns a merchant's changes, newest first. With `id` it returns that one only. */
export async function listPolicyChanges(
  sql: Queryable,
  merchantId: string,
  slice: Slice,
  id?: string,
): Promise<DecidedRow<PolicyChangeRow>[]> {
  return await sql<DecidedRow<PolicyChangeRow>[]>`
    SELECT change.*, coalesce(decided.list, '[]') AS approval_list
    FROM control_changes change ${approvalList(sql, 'change')}
    WHERE change.merchant_id = ${merchantId} AND change.kind = 'policy'
      ${id === undefined ? sql`` : sql`AND change.id = ${id}`}
      ${slice.before === null ? sql`` : sql`AND change.id < ${slice.before}`}
    ORDER BY change.id DESC OFFSET ${slice.offset} LIMIT ${slice.take}`
}

/** Returns the view of a row. */
export function toPolicyChangeView(row: DecidedRow<PolicyChangeRow>): PolicyChange {
  const loosens = row.intent.changes.some((edit) => edit.effect === 'loosening')
  const earliest = new Date(row.created_at.getTime() + (loosens ? Number(row.cool_down_ms) : 0))
  return {
    id: row.id,
    state: row.state,
    changes: row.intent.changes,
    base_version: row.intent.base_version,
    superseded: row.superseded,
    effective_at: (row.effective_at ?? earliest).toISOString(),
    intent_hash: row.intent_hash,
    required_approvals: 2,
    approvals: row.approval_list,
    initiator: row.initiator,
    history: row.history,
    expires_at: row.expires_at.toISOString(),
    created_at: row.created_at.toISOString(),
  }
}
