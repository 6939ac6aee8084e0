/** A merchant's withdrawal, or a part of a batch or a movement of it, for a person who decides about it. */

import type { PendingQuery, Row } from 'postgres'
import { KeyturnError } from '../../../domain/errors.js'
import type { Queryable, Transaction } from '../../connect.js'
import type { PayoutRow } from '../payout-row.js'
import { withdrawalNotFound } from './find-withdrawal.js'

/** What is meant: one that was asked for, one transaction of a batch, or money on its way between own wallets. */
export type OwnPayoutKind = 'withdrawal' | 'part' | 'movement'

export interface OwnPayout {
  readonly merchantId: string
  readonly id: string
  /** Default: a withdrawal. */
  readonly kind?: OwnPayoutKind
}

/** Who decides: the person behind the API key, and whether that key has the scope `admin`. */
export interface Decider extends OwnPayout {
  readonly personId: string | null
  readonly admin: boolean
  readonly actor: string
}

const ROWS: Readonly<Record<OwnPayoutKind, readonly string[]>> = {
  withdrawal: ['withdrawal'],
  part: ['batch_part'],
  movement: ['consolidation', 'gas_funding', 'rebalance'],
}

/** The condition under which a row of `withdrawal` is the merchant's, and of the kind that is meant. */
export function isOwnPayout(
  sql: Queryable,
  { merchantId, id, kind = 'withdrawal' }: OwnPayout,
): PendingQuery<Row[]> {
  return sql`withdrawal.id = ${id} AND withdrawal.merchant_id = ${merchantId} AND withdrawal.kind = ANY (${[...ROWS[kind]]})`
}

/** Locks it. @throws KeyturnError `NOT_FOUND`. */
export async function lockOwnWithdrawal(tx: Transaction, payment: OwnPayout): Promise<PayoutRow> {
  const [row] = await tx<PayoutRow[]>`
    SELECT * FROM payouts withdrawal WHERE ${isOwnPayout(tx, payment)} FOR UPDATE`
  if (!row) throw payoutNotFound(payment)
  return row
}

/** There is none, or it is another merchant's. */
export function payoutNotFound({ id, kind = 'withdrawal' }: Pick<OwnPayout, 'id' | 'kind'>): KeyturnError {
  if (kind === 'withdrawal') return withdrawalNotFound(id)
  const what = kind === 'part' ? 'part of a batch' : 'movement'
  return new KeyturnError('NOT_FOUND', `There is no such ${what}; check the id`, { details: { id } })
}
