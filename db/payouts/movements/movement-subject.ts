/** A movement as a subject of approvals: one that fills a hot wallet. */

import { initiatorsOf } from '../../../domain/controls/approval.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { Queryable, Transaction } from '../../connect.js'
import type { ApprovalSubject } from '../../controls/approvals/approval-subject.js'
import type { RequestedWithdrawal } from '../withdrawals/find-withdrawal.js'

/** Finds a merchant's movement. @throws KeyturnError `NOT_FOUND`. */
export async function findMovement(
  sql: Queryable,
  merchantId: string,
  id: string,
): Promise<RequestedWithdrawal> {
  const [row] = await sql<RequestedWithdrawal[]>`
    SELECT * FROM payouts
    WHERE id = ${id} AND merchant_id = ${merchantId} AND kind IN ('consolidation', 'gas_funding', 'rebalance')`
  if (!row) {
    throw new KeyturnError('NOT_FOUND', 'There is no such movement; check the id', { details: { id } })
  }
  return row
}

/** Locks a merchant's movement. @throws KeyturnError `NOT_FOUND`. */
export async function lockMovementSubject(
  tx: Transaction,
  merchantId: string,
  id: string,
): Promise<ApprovalSubject> {
  await findMovement(tx, merchantId, id)
  const [row] = await tx<RequestedWithdrawal[]>`SELECT * FROM payouts WHERE id = ${id} FOR UPDATE`
  if (!row) throw new Error(`Movement ${id} vanished`)
  const asked = row.approval_requirement.count > 0
  return {
    type: 'movement',
    id: row.id,
    intentHash: row.intent_hash,
    initiators: initiatorsOf(row),
    requirement: row.approval_requirement,
    open: asked && (row.stage === 'requested' || row.stage === 'pending_approval'),
    state: row.stage,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  }
}
