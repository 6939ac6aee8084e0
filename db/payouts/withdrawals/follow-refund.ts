/** Moves the exception that a withdrawal refunds, in the transaction in which the withdrawal ends. */

import { auditException, moveException, resolveException } from '../../books/exceptions/change-exception.js'
import { concernedBy } from '../../books/exceptions/concerned-by.js'
import { nameOf, placeHolds } from '../../books/exceptions/dispute-holds.js'
import type { ExceptionRow } from '../../books/exceptions/exception-row.js'
import { raiseException } from '../../books/exceptions/raise-exception.js'
import type { Transaction } from '../../connect.js'
import { bookRefund } from '../../deposits/refund-rejected.js'
import type { PayoutRow } from '../payout-row.js'

type Refund = Pick<
  PayoutRow,
  'id' | 'exception_id' | 'merchant_id' | 'network' | 'coin' | 'amount' | 'user_reference' | 'reopened'
>

const ACTOR = { by: 'system:withdrawal', actor: 'system:withdrawal' }

/**
 * Resolves the exception if the withdrawal was confirmed. Else it is what it was before the refund, and a dispute
 * holds again what is left. Does nothing for a withdrawal that refunds none.
 */
export async function followRefund(tx: Transaction, withdrawal: Refund, isConfirmed: boolean): Promise<void> {
  if (withdrawal.exception_id === null) return
  const [row] = await tx<ExceptionRow[]>`
    SELECT * FROM exceptions WHERE withdrawal_id = ${withdrawal.id} FOR UPDATE`
  if (!row) return
  if (isConfirmed && row.kind === 'rejected_deposit') await bookRefund(tx, row.subject_id, withdrawal)
  if (row.status === 'resolved') {
    if (!isConfirmed) await raiseUnpaid(tx, row, withdrawal)
    return
  }
  if (isConfirmed) {
    await resolveException(tx, row, 'refund', ACTOR, { withdrawal_id: withdrawal.id })
    return
  }
  await tx`UPDATE exceptions SET withdrawal_id = NULL, updated_at = clock_timestamp() WHERE id = ${row.id}`
  await auditException(tx, row, ACTOR, 'refund_failed', { withdrawal_id: withdrawal.id })
  await holdAgain(tx, row, row.id, withdrawal)
  if (row.owner === null && row.status === 'in_progress') {
    await moveException(tx, row, 'open', ACTOR, `The refund ${withdrawal.id} did not pay`)
  }
}

/** Holds again what a refund did not pay, for the dispute that had held it. */
async function holdAgain(tx: Transaction, row: ExceptionRow, id: string, refund: Refund): Promise<void> {
  if (row.kind !== 'dispute') return
  const { network, coin, amount, user_reference: userReference } = refund
  const back = { network, coin, owner: userReference ?? '', amount }
  const { amounts } = await concernedBy(tx, row.merchant_id, { type: row.subject_type, id: row.subject_id })
  const concerned = amounts.filter((each) => nameOf(each) === nameOf(back))
  await placeHolds(tx, { id, merchant_id: row.merchant_id }, concerned, [back])
}

/** Raises the exception again that a refund had resolved, which a reorg took back and which then did not pay. */
async function raiseUnpaid(tx: Transaction, row: ExceptionRow, refund: Refund): Promise<void> {
  const { id: withdrawalId } = refund
  const id = await raiseException(tx, {
    merchantId: row.merchant_id,
    kind: row.kind,
    detail: row.detail,
    cause: row.cause,
    severity: row.severity,
    subject: { type: row.subject_type, id: row.subject_id },
    reason: `${row.reason}. Its refund was confirmed, the chain took the refund back, and it did not pay`,
    expected: row.expected,
    actual: row.actual,
    paymentId: row.payment_id,
    userReference: row.user_reference,
    evidence: { ...row.evidence, exception_id: row.id, withdrawal_id: withdrawalId },
  })
  if (id === null) return
  await auditException(tx, row, ACTOR, 'refund_failed', { withdrawal_id: withdrawalId, raised_again: id })
  await holdAgain(tx, row, id, refund)
}
