/** Requests a cancelling transaction, which has no recipients, for a payout that waits for a block. */

import type { Networks } from '../../../domain/chain/network.js'
import { initiatorsOf } from '../../../domain/controls/approval.js'
import { KeyturnError } from '../../../domain/errors.js'
import { SENT_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import { isMovement } from '../../../domain/payouts/treasury.js'
import { appendAudit } from '../../audit/append-audit.js'
import { inTransaction, type Sql, type Transaction } from '../../connect.js'
import { type CancellationRequest, lockWithdrawal, type PayoutRow } from '../payout-row.js'
import type { OwnPayout } from './lock-own-withdrawal.js'
import { lockReplaceable } from './request-speed-up.js'
import { requireReviewer } from './require-reviewer.js'

export interface Cancellation extends OwnPayout {
  /** Person behind the API key. `null` where the key has none. */
  readonly personId: string | null
  /** Whether the key has the scope `admin`. Otherwise the person must have the role `reviewer`. */
  readonly admin: boolean
  readonly reason: string
  readonly actor: string
}

/**
 * Stores the decision; the workflow builds the transaction. Until one of the two is final nothing is
 * released: the payout may still be mined, and then it is paid.
 *
 * @throws KeyturnError `NOT_AN_APPROVER` without a person; `INITIATOR_CANNOT_APPROVE`; `ALREADY_DECIDED`; and
 * as `requestSpeedUp`.
 */
export async function requestCancellation(
  tx: Transaction,
  networks: Networks,
  request: Cancellation,
): Promise<void> {
  await requireReviewer(tx, request)
  const { row } = await lockReplaceable(tx, networks, request, 'cancel')
  if (request.personId !== null && initiatorsOf(row).includes(request.personId)) {
    throw new KeyturnError(
      'INITIATOR_CANNOT_APPROVE',
      'You asked for this withdrawal or changed what it pays, so you cannot decide alone that it is cancelled; another person must',
      { details: { id: row.id } },
    )
  }
  if (row.cancellation) {
    throw new KeyturnError('ALREADY_DECIDED', 'This withdrawal is being cancelled already', {
      details: { id: row.id, cancellation: row.cancellation },
    })
  }
  await storeCancellation(tx, row, { actor: request.actor, reason: request.reason })
}

/**
 * Cancels a stuck movement between own wallets that no fee inside its limit can speed up, by the platform's
 * own decision, so that it blocks no later nonce and holds no coins. What it was to move is planned again at
 * the fees of that time.
 *
 * @param reason - Why it cannot be sped up.
 * @returns Whether it was decided now.
 */
export async function cancelLaggingMovement(sql: Sql, id: string, reason: string): Promise<boolean> {
  return inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    const waits = SENT_PAYOUTS[row.stage]
    if (!isMovement(row.kind) || !waits || row.cancellation) return false
    await storeCancellation(tx, row, { actor: 'system:treasury', reason })
    return true
  })
}

async function storeCancellation(
  tx: Transaction,
  row: PayoutRow,
  { actor, reason }: { readonly actor: string; readonly reason: string },
): Promise<void> {
  const cancellation: CancellationRequest = {
    requested_by: actor,
    requested_at: new Date().toISOString(),
    reason,
  }
  await tx`
    UPDATE payouts SET cancellation = ${tx.json({ ...cancellation })}, speed_up = NULL, updated_at = clock_timestamp()
    WHERE id = ${row.id}`
  await appendAudit(tx, {
    merchantId: row.merchant_id,
    actor,
    action: 'withdrawal.cancellation_requested',
    subject: row.id,
    data: { reason, transaction_hash: row.transaction_hash },
  })
}
