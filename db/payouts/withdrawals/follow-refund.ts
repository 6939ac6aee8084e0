/** Moves the exception that a withdrawal refunds, in the transaction in which the withdrawal ends. */

import {
  type LockedException,
  moveException,
  resolveException,
} from '../../books/exceptions/change-exception.js'
import { takeHolds } from '../../books/exceptions/dispute-holds.js'
import { concernedBy } from '../../books/exceptions/raise-dispute.js'
import type { Transaction } from '../../connect.js'
import type { PayoutRow } from '../payout-row.js'

const ACTOR = { by: 'system:withdrawal', actor: 'system:withdrawal' }

/**
 * Resolves the exception if the withdrawal was confirmed. Else it is what it was before the refund, and a dispute
 * holds again what is left. Does nothing for a withdrawal that refunds none.
 */
export async function followRefund(
  tx: Transaction,
  withdrawal: Pick<PayoutRow, 'id' | 'metadata' | 'merchant_id'>,
  isConfirmed: boolean,
): Promise<void> {
  // Merchants may write this field too, so that the row alone says whether it is a refund.
  if (!('exception_id' in withdrawal.metadata)) return
  const [row] = await tx<LockedException[]>`
    SELECT * FROM exceptions WHERE withdrawal_id = ${withdrawal.id} FOR UPDATE`
  if (!row || row.status === 'resolved') return
  if (isConfirmed) {
    await resolveException(tx, row, 'refund', ACTOR, { withdrawal_id: withdrawal.id })
    return
  }
  await tx`UPDATE exceptions SET withdrawal_id = NULL, updated_at = clock_timestamp() WHERE id = ${row.id}`
  if (row.kind === 'dispute') {
    const { amounts } = await concernedBy(tx, row.merchant_id, { type: row.subject_type, id: row.subject_id })
    await takeHolds(tx, row, amounts)
  }
  if (row.owner === null && row.status === 'in_progress') {
    await moveException(tx, row, 'open', ACTOR, `The refund ${withdrawal.id} did not pay`)
  }
}
