/** A merchant's withdrawal, or a part of a batch or a movement of it, for a person who decides about it. */

import type { PendingQuery, Row } from 'postgres'
import { KeyturnError } from '../../../domain/errors.js'
import type { Queryable, Transaction } from '../../connect.js'
import type { WithdrawalRow } from '../payout-row.js'
import { withdrawalNotFound } from './find-withdrawal.js'

/** What is meant: one that was asked for, one transaction of a batch, or money on its way between own wallets. */
export type PaymentKind = 'withdrawal' | 'part' | 'movement'

export interface OwnPayment {
  readonly merchantId: string
  readonly id: string
  /** Default: a withdrawal. */
  readonly kind?: PaymentKind
}

/** Who decides: the person behind the API key, and whether that key has the scope `admin`. */
export interface Decider extends OwnPayment {
  readonly personId: string | null
  readonly admin: boolean
  readonly actor: string
}

const ROWS: Readonly<Record<PaymentKind, readonly string[]>> = {
  withdrawal: ['withdrawal'],
  part: ['batch_part'],
  movement: ['consolidation', 'gas_funding', 'rebalance'],
}

/** The condition under which a row of `withdrawal` is the merchant's, and of the kind that is meant. */
export function isOwnPayment(
  sql: Queryable,
  { merchantId, id, kind = 'withdrawal' }: OwnPayment,
): PendingQuery<Row[]> {
  return sql`withdrawal.id = ${id} AND withdrawal.merchant_id = ${merchantId} AND withdrawal.kind = ANY (${[...ROWS[kind]]})`
}

/** Locks it. @throws KeyturnError `NOT_FOUND`. */
export async function lockOwnWithdrawal(tx: Transaction, payment: OwnPayment): Promise<WithdrawalRow> {
  const [row] = await tx<WithdrawalRow[]>`
    SELECT * FROM withdrawals withdrawal WHERE ${isOwnPayment(tx, payment)} FOR UPDATE`
  if (!row) throw paymentNotFound(payment)
  return row
}

/** There is none, or it is another merchant's. */
export function paymentNotFound({ id, kind = 'withdrawal' }: Pick<OwnPayment, 'id' | 'kind'>): KeyturnError {
  if (kind === 'withdrawal') return withdrawalNotFound(id)
  const what = kind === 'part' ? 'part of a batch' : 'movement'
  return new KeyturnError('NOT_FOUND', `There is no such ${what}; check the id`, { details: { id } })
}
