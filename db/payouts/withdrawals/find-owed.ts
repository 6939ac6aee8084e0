/** Finds what a refund of an exception pays back: a deposit, or what was credited for a payment. */

import { KeyturnError } from '../../../domain/errors.js'
import type { LockedException } from '../../books/exceptions/change-exception.js'
import type { Transaction } from '../../connect.js'

/** Amount that a refund pays. */
export interface Owed {
  readonly network: string
  readonly coin: string
  /** Base units. */
  readonly amount: bigint
  readonly userReference: string | null
}

interface DepositRow extends Omit<Owed, 'userReference'> {
  readonly user_reference: string | null
  readonly status: string
  /** Whether a reviewer rejected its present mining. */
  readonly rejected: boolean
}

/**
 * Returns what is paid back: the deposit that the exception names, or what was credited for its payment.
 *
 * @throws KeyturnError `INVALID_STATE` if nothing is credited, or the deposit is not credited any more.
 */
export async function findOwed(tx: Transaction, row: LockedException): Promise<Owed> {
  const depositId = depositOf(row)
  const [known] = await tx`
    SELECT FROM deposits WHERE id = ${depositId} AND merchant_id = ${row.merchant_id}`
  if (known) return owedForDeposit(tx, row, depositId ?? '')
  const [payment] = await tx<
    (Omit<Owed, 'userReference'> & { user_reference: string; due: bigint | null })[]
  >`
    SELECT network, coin, amount_confirmed AS amount, user_reference, payments.amount AS due FROM payments
    WHERE id = ${row.payment_id} AND merchant_id = ${row.merchant_id}`
  if (!payment || payment.amount === 0n) {
    throw new KeyturnError(
      'INVALID_STATE',
      'This exception names no deposit or payment whose amount was credited, so there is nothing to refund',
      { details: { id: row.id, subject: { type: row.subject_type, id: row.subject_id } } },
    )
  }
  const { due } = payment
  const isTooMuch = row.kind === 'wrong_amount' && due !== null && payment.amount > due
  return {
    network: payment.network,
    coin: payment.coin,
    amount: isTooMuch ? payment.amount - due : payment.amount,
    userReference: payment.user_reference,
  }
}

/** Returns the id of the deposit that an exception names. `null` if it names none. */
export function depositOf(
  row: Pick<LockedException, 'subject_type' | 'subject_id' | 'evidence'>,
): string | null {
  const { deposit_id: named } = row.evidence
  if (row.subject_type === 'deposit') return row.subject_id
  return typeof named === 'string' ? named : null
}

async function owedForDeposit(tx: Transaction, row: LockedException, id: string): Promise<Owed> {
  // A reorg that reverts the deposit at this moment holds its lock, and this transaction holds the exception that the
  // reorg may close: neither waits for the other.
  const [deposit] = await tx<DepositRow[]>`
    SELECT network, coin, amount, user_reference, status,
           (decision ->> 'epoch')::integer IS NOT DISTINCT FROM epoch AS rejected
    FROM deposits WHERE id = ${id} FOR SHARE SKIP LOCKED`
  if (!deposit) throw refused(row, id, 'its deposit changes at this moment; try again')
  const isRejected = row.kind === 'rejected_deposit'
  const isThere = isRejected ? deposit.status === 'held' && deposit.rejected : deposit.status === 'success'
  if (!isThere) {
    const needed = isRejected ? 'held and rejected' : 'credited'
    throw refused(row, id, `its deposit is ${deposit.status}; only one that is ${needed} is paid back`)
  }
  return { ...deposit, userReference: isRejected ? null : deposit.user_reference }
}

function refused(row: LockedException, depositId: string, why: string): KeyturnError {
  return new KeyturnError('INVALID_STATE', `This exception cannot be refunded: ${why}`, {
    details: { id: row.id, deposit_id: depositId },
  })
}
