/** Takes a withdrawal towards `approved`, as far as its stored decisions and the time allow. */

import { assertNever } from '../../domain/assert-never.js'
import type { Networks } from '../../domain/chain/network.js'
import { isMovement } from '../../domain/payouts/treasury.js'
import { inTransaction, type Sql, type Transaction } from '../connect.js'
import { decideSubject } from '../controls/approvals/decide-subject.js'
import { closeUnpaid } from './close-unpaid.js'
import { expireLocked } from './expire-withdrawal.js'
import { movePayout } from './move-payout.js'
import { findRow, lockWithdrawal, type PayoutRow } from './payout-row.js'
import { readWithdrawalState, toWithdrawalState, type WithdrawalState } from './read-withdrawal-state.js'

const ACTOR = 'system:withdrawal'

/**
 * Admits, decides or expires a withdrawal, and returns its state. Safe to call at any time and any number of
 * times: a withdrawal that is approved, or at its end, is returned as it is. Only stored, signed decisions
 * count.
 *
 * @param now - Clock of the process that waits.
 */
export async function advanceWithdrawal(
  sql: Sql,
  networks: Networks,
  id: string,
  now: Date,
): Promise<WithdrawalState> {
  return inTransaction(sql, async (tx) => {
    let row = await lockWithdrawal(tx, id)
    if (row.stage === 'requested') row = await admit(tx, networks, row, now)
    if (row.stage !== 'pending_review' && row.stage !== 'pending_approval') return toWithdrawalState(row, 0)
    return decide(tx, networks, row, now)
  })
}

/**
 * Moves it on once its destination is screened. Every other check was made when the withdrawal was created.
 *
 * @returns The row as it is then.
 */
async function admit(tx: Transaction, networks: Networks, row: PayoutRow, now: Date): Promise<PayoutRow> {
  if (row.screening?.state === 'pending') {
    if (row.expires_at > now) return row
    await expireLocked(tx, networks, row)
    return findRow(tx, row.id)
  }
  const needsNoApproval = isMovement(row.kind) && row.approval_requirement.count === 0
  const waits = row.review_required ? 'pending_review' : 'pending_approval'
  return movePayout(tx, networks, row, { to: needsNoApproval ? 'approved' : waits, actor: ACTOR })
}

async function decide(
  tx: Transaction,
  networks: Networks,
  row: PayoutRow,
  now: Date,
): Promise<WithdrawalState> {
  const verdict = await decideSubject(tx, row, {
    requirement: row.approval_requirement,
    mayApprove: row.stage === 'pending_approval',
    now,
  })
  switch (verdict.kind) {
    case 'waiting':
      return toWithdrawalState(row, verdict.approvedBy)
    case 'approved': {
      const { cause } = verdict
      return toWithdrawalState(
        await movePayout(tx, networks, row, { to: 'approved', actor: ACTOR, cause }),
        0,
      )
    }
    case 'rejected': {
      const { actor, failure } = verdict
      await closeUnpaid(tx, networks, row, { to: 'rejected', actor, failure })
      return readWithdrawalState(tx, row.id)
    }
    case 'expired':
      await expireLocked(tx, networks, row)
      return readWithdrawalState(tx, row.id)
    default:
      return assertNever(verdict)
  }
}
