/** Finds what a dispute concerns: credited deposits, or all that a user has. */

import { KeyturnError } from '../../../domain/errors.js'
import { formatAmount } from '../../../domain/money.js'
import type { Transaction } from '../../connect.js'
import type { Disputed } from './dispute-holds.js'

/** What a dispute concerns. */
export interface Concerned {
  readonly paymentId: string | null
  readonly userReference: string | null
  readonly amounts: readonly Disputed[]
  /** As people read it, for `expected`. `null` for all that a user has. */
  readonly value: string | null
}

/** Returns what a dispute about a subject concerns now. @throws KeyturnError `NOT_FOUND`. */
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

interface Credited extends Disputed {
  readonly amount: bigint
  readonly decimals: number | null
}

/** Reads credited deposits, oldest first, as amounts to hold. */
const selectCredited = (tx: Transaction) => tx`
  SELECT deposit.id AS "depositId", deposit.network, deposit.coin, coalesce(deposit.user_reference, '') AS owner,
         deposit.amount, known.decimals, deposit.status, deposit.payment_id, deposit.user_reference
  FROM deposits deposit LEFT JOIN known_coins known ON known.network = deposit.network AND known.name = deposit.coin`

async function ofPayment(tx: Transaction, merchantId: string, id: string): Promise<Concerned> {
  const [payment] = await tx<{ user_reference: string }[]>`
    SELECT user_reference FROM payments WHERE id = ${id} AND merchant_id = ${merchantId}`
  if (!payment) throw subjectNotFound('payment', id)
  const credited = await tx<Credited[]>`
    ${selectCredited(tx)}
    WHERE deposit.payment_id = ${id} AND deposit.merchant_id = ${merchantId} AND deposit.status = 'success'
    ORDER BY deposit.id`
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
  >`${selectCredited(tx)} WHERE deposit.id = ${id} AND deposit.merchant_id = ${merchantId}`
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
    amounts: accounts.map(({ network, coin }) => ({
      network,
      coin,
      owner: id,
      amount: null,
      depositId: null,
    })),
    value: null,
  }
}

/** Returns the sum of each coin, as people read it. */
function shown(credited: readonly Credited[]): string {
  if (credited.length === 0) return '0'
  const sums = new Map<string, { coin: string; amount: bigint; decimals: number }>()
  for (const { network, coin, amount, decimals } of credited) {
    const known = sums.get(`${network} ${coin}`)?.amount ?? 0n
    sums.set(`${network} ${coin}`, { coin, amount: known + amount, decimals: decimals ?? 0 })
  }
  return [...sums.values()]
    .map(({ amount, coin, decimals }) => `${formatAmount(amount, decimals)} ${coin}`)
    .join(', ')
}

function subjectNotFound(type: string, id: string): KeyturnError {
  return new KeyturnError('NOT_FOUND', `There is no such ${type}; check the subject's id`, {
    details: { type, id },
  })
}
