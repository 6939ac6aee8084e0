/** Raises a dispute about a payment, a deposit or a user, and holds the value concerned. */

import type { NewDispute } from '../../../wire/exception.js'
import type { Transaction } from '../../connect.js'
import { type Actor, auditException } from './change-exception.js'
import { concernedBy } from './concerned-by.js'
import { takeHolds } from './dispute-holds.js'
import { disputeCause, lockDisputes } from './dispute-locks.js'
import { raiseException } from './raise-exception.js'

/**
 * Raises the dispute, unless one about the same subject stands.
 *
 * @returns Its id, and whether it is new.
 * @throws KeyturnError `NOT_FOUND` for an unknown subject, or another merchant's.
 */
export async function raiseDispute(
  tx: Transaction,
  merchantId: string,
  { subject, reason }: Pick<NewDispute, 'subject' | 'reason'>,
  actor: Actor,
): Promise<{ readonly id: string; readonly isNew: boolean }> {
  await lockDeposits(tx, merchantId, subject)
  const { userReference } = await concernedBy(tx, merchantId, subject)
  await lockDisputes(tx, merchantId, userReference)
  // Read again under the locks, because a dispute that ended meanwhile holds nothing any more.
  const concerned = await concernedBy(tx, merchantId, subject)
  const cause = disputeCause(subject)
  const id = await raiseException(tx, {
    merchantId,
    kind: 'dispute',
    cause,
    subject,
    reason,
    expected: concerned.value,
    actual: 'disputed',
    paymentId: concerned.paymentId,
    userReference: concerned.userReference,
    evidence: { raised_by: actor.by },
  })
  if (id === null) {
    const [standing] = await tx<{ id: string }[]>`
      SELECT id FROM exceptions WHERE merchant_id = ${merchantId} AND cause = ${cause} AND status <> 'resolved'`
    // It was resolved at the same moment, so this one is another dispute.
    if (!standing) return raiseDispute(tx, merchantId, { subject, reason }, actor)
    return { id: standing.id, isNew: false }
  }
  await takeHolds(tx, { id, merchant_id: merchantId }, concerned.amounts)
  await auditException(tx, { id, merchant_id: merchantId }, actor, 'disputed', { subject, reason })
  return { id, isNew: true }
}

/** Makes a credit of what is disputed wait, so that it is held: by this dispute, or by the credit, which finds it. */
async function lockDeposits(
  tx: Transaction,
  merchantId: string,
  { type, id }: NewDispute['subject'],
): Promise<void> {
  if (type === 'user') return
  await tx`
    SELECT FROM deposits
    WHERE merchant_id = ${merchantId} AND ${type === 'payment' ? tx`payment_id` : tx`id`} = ${id}
    ORDER BY id FOR SHARE`
}
