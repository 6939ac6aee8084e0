/** Raises a dispute about a payment, a deposit or a user, and holds the value concerned. */

import { KeyturnError } from '../../../domain/errors.js'
import { formatAmount } from '../../../domain/money.js'
import type { NewDispute } from '../../../wire/exception.js'
import type { Transaction } from '../../connect.js'
import { type Actor, auditException } from './change-exception.js'
import { type Disputed, takeHolds } from './dispute-holds.js'
import { raiseException } from './raise-exception.js'

/** What a dispute concerns. */
interface Concerned {
  readonly paymentId: string | null
  readonly userReference: string | null
  readonly amounts: readonly Disputed[]
  /** As people read it, for `expected`. `null` for all that a user has. */
  readonly value: string | null
}

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
  const concerned = await concernedBy(tx, merchantId, subject)
  const cause = `dispute:${subject.type}:${subject.id}`
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

/** Returns what a standing dispute concerns now, to hold it again. */
export async function concernedBy(
  tx: Transaction,
  merchantId: string,
  { type, id }: { readonly type: string; readonly id: string },
): Promise<Concerned> {
  switch (type) {
    case 'payment':
      return ofPayment(tx, merchantId, id)
    case 'deposit':
      return ofDeposit(tx, merchantId, id)
    default:
      return ofUser(tx, merchantId, id)
  }
}

interface Credited {
  readonly network: string
  readonly coin: string
  readonly owner: string
  readonly amount: bigint
  readonly decimals: number | null
}

async function ofPayment(tx: Transaction, merchantId: string, id: string): Promise<Concerned> {
  const [payment] = await tx<{ user_reference: string }[]>`
    SELECT user_reference FROM payments WHERE id = ${id} AND merchant_id = ${merchantId}`
  if (!payment) throw subjectNotFound('payment', id)
  const credited = await tx<Credited[]>`
    SELECT deposit.network, deposit.coin, coalesce(deposit.user_reference, '') AS owner, sum(deposit.amount) AS amount,
           min(known.decimals) AS decimals
    FROM deposits deposit LEFT JOIN known_coins known ON known.network = deposit.network AND known.name = deposit.coin
    WHERE deposit.payment_id = ${id} AND deposit.merchant_id = ${merchantId} AND deposit.status = 'success'
    GROUP BY deposit.network, deposit.coin, owner`
  return {
    paymentId: id,
    userReference: payment.user_reference,
    amounts: credited,
    value: shown(credited),
  }
}

async function ofDeposit(tx: Transaction, merchantId: string, id: string): Promise<Concerned> {
  const [deposit] = await tx<
    (Credited & { status: string; payment_id: string | null; user_reference: string | null })[]
  >`
    SELECT deposit.network, deposit.coin, coalesce(deposit.user_reference, '') AS owner, deposit.amount, known.decimals,
           deposit.status, deposit.payment_id, deposit.user_reference
    FROM deposits deposit LEFT JOIN known_coins known ON known.network = deposit.network AND known.name = deposit.coin
    WHERE deposit.id = ${id} AND deposit.merchant_id = ${merchantId}`
  if (!deposit) throw subjectNotFound('deposit', id)
  return {
    paymentId: deposit.payment_id,
    userReference: deposit.user_reference,
    // Before its credit a deposit is reserved anyway.
    amounts: deposit.status === 'success' ? [deposit] : [],
    value: shown([deposit]),
  }
}

async function ofUser(tx: Transaction, merchantId: string, id: string): Promise<Concerned> {
  const accounts = await tx<{ network: string; coin: string }[]>`
    SELECT network, coin FROM ledger_accounts
    WHERE merchant_id = ${merchantId} AND owner = ${id} AND kind = 'available'`
  const [known] =
    accounts.length > 0
      ? accounts
      : await tx`
          SELECT FROM addresses WHERE merchant_id = ${merchantId} AND user_reference = ${id} LIMIT 1`
  if (!known) throw subjectNotFound('user', id)
  return {
    paymentId: null,
    userReference: id,
    amounts: accounts.map(({ network, coin }) => ({ network, coin, owner: id, amount: null })),
    value: null,
  }
}

function shown(credited: readonly Credited[]): string {
  if (credited.length === 0) return '0'
  return credited
    .map(({ amount, coin, decimals }) => `${formatAmount(amount, decimals ?? 0)} ${coin}`)
    .join(', ')
}

function subjectNotFound(type: string, id: string): KeyturnError {
  return new KeyturnError('NOT_FOUND', `There is no such ${type}; check the subject's id`, {
    details: { type, id },
  })
}
