/** Finds the request to close or re-open a period, to read it or to decide about it. */

import { FOUR_EYES, initiatorsOf } from '../../../domain/controls/approval.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { Queryable, Transaction } from '../../connect.js'
import type { ApprovalSubject } from '../../controls/approvals/approval-subject.js'
import type { PeriodCloseRow, PeriodReopenRow } from '../../controls/changes/control-change-row.js'

export type PeriodChangeRow = PeriodCloseRow | PeriodReopenRow

/** Finds the newest request about a period. @throws KeyturnError `NOT_FOUND`. */
export async function findPeriodChange(
  sql: Queryable,
  merchantId: string,
  period: string,
): Promise<PeriodChangeRow> {
  const [row] = await sql<PeriodChangeRow[]>`
    SELECT change.* FROM control_changes change JOIN periods ON periods.change_id = change.id
    WHERE periods.merchant_id = ${merchantId} AND periods.period = ${period}`
  if (row) return row
  throw new KeyturnError('NOT_FOUND', `No request about the period ${period.slice(0, 20)} was made`, {
    details: { period: period.slice(0, 20) },
  })
}

/** Finds the request about a period that waits for its approvals. */
export async function findPendingChange(
  sql: Queryable,
  merchantId: string,
  period: string,
): Promise<PeriodChangeRow | null> {
  const [row] = await sql<PeriodChangeRow[]>`
    SELECT * FROM control_changes
    WHERE merchant_id = ${merchantId} AND intent ->> 'period' = ${period} AND state = 'pending_approval'
      AND kind IN ('period_close', 'period_reopen')`
  return row ?? null
}

/** Finds and locks the newest request about a period, for `recordApproval`. */
export async function lockPeriodSubject(
  tx: Transaction,
  merchantId: string,
  period: string,
): Promise<ApprovalSubject> {
  const { id } = await findPeriodChange(tx, merchantId, period)
  const [row] = await tx<PeriodChangeRow[]>`SELECT * FROM control_changes WHERE id = ${id} FOR UPDATE`
  if (!row) throw new Error(`Change ${id} does not exist`)
  return {
    type: row.kind,
    id: row.id,
    intentHash: row.intent_hash,
    initiators: initiatorsOf(row),
    requirement: FOUR_EYES,
    open: row.state === 'pending_approval',
    state: row.state,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  }
}
