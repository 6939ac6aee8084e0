/** A withdrawal as a subject of approvals. */

import { initiatorsOf } from '../../../domain/controls/approval.js'
import type { Transaction } from '../../connect.js'
import type { ApprovalSubject } from '../../controls/approvals/approval-subject.js'
import type { PayoutRow } from '../payout-row.js'
import { withdrawalNotFound } from './find-withdrawal.js'

/** Locks a merchant's withdrawal. @throws KeyturnError `NOT_FOUND`. */
export async function lockWithdrawalSubject(
  tx: Transaction,
  merchantId: string,
  id: string,
): Promise<ApprovalSubject> {
  const [row] = await tx<PayoutRow[]>`
    SELECT * FROM payouts WHERE id = ${id} AND merchant_id = ${merchantId} AND kind = 'withdrawal' FOR UPDATE`
  if (!row) throw withdrawalNotFound(id)
  return {
    type: 'withdrawal',
    id: row.id,
    intentHash: row.intent_hash,
    initiators: initiatorsOf(row),
    requirement: row.approval_requirement,
    open: row.stage === 'requested' || row.stage === 'pending_review' || row.stage === 'pending_approval',
    state: row.stage,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  }
}
