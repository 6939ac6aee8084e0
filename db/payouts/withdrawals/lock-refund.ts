/** Locks what a withdrawal refunds, before anything of the ledger is locked. */

import { lockException } from '../../books/exceptions/change-exception.js'
import type { Transaction } from '../../connect.js'
import { depositOf } from './find-owed.js'
import { lockRefunds } from './other-refunds.js'

/**
 * Locks the deposit and the exception of a refund, because its end changes both. Does nothing for a withdrawal that
 * refunds nothing. The order is that of `db/README.md`.
 *
 * @param refund - Payout that the caller has just locked.
 */
export async function lockRefund(
  tx: Transaction,
  refund: { readonly merchant_id: string; readonly exception_id: string | null },
): Promise<void> {
  const { merchant_id: merchantId, exception_id: exceptionId } = refund
  if (exceptionId === null) return
  await lockRefunds(tx, merchantId)
  const [exception] = await tx<
    { subject_type: string; subject_id: string; evidence: Record<string, unknown> }[]
  >`SELECT subject_type, subject_id, evidence FROM exceptions WHERE id = ${exceptionId}`
  if (!exception) throw new Error(`The exception ${exceptionId} does not exist`)
  const depositId = depositOf(exception)
  if (depositId !== null) {
    await tx`SELECT FROM deposits WHERE id = ${depositId} AND merchant_id = ${merchantId} FOR UPDATE`
  }
  await lockException(tx, merchantId, exceptionId)
}
