/** Locks a merchant's withdrawal, part of a batch or movement, for a person who decides about it. */

import type { PendingQuery, Row } from 'postgres'
import { KeyturnError } from '../../../domain/errors.js'
import type { Queryable, Transaction } from '../../connect.js'
import type { PayoutRow } from '../payout-row.js'
import { withdrawalNotFound } from './find-withdrawal.js'
import { lockRefund } from './lock-refund.js'

/**
 * Kind of payout: a withdrawal that was requested, one transaction of a batch, or a movement between own
 * wallets.
 */
export type OwnPayoutKind = 'withdrawal' | 'part' | 'movement'

export interface OwnPayout {
  readonly merchantId: string
  readonly id: string
  /** Default: a withdrawal. */
  readonly kind?: OwnPayoutKind
}

/** Person behind the API key who decides, and whether that key has the scope `admin`. */
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

/** Returns the condition that a row of `withdrawal` is the merchant's, and of that kind. */
export function isOwnPayout(
  sql: Queryable,
  { merchantId, id, kind = 'withdrawal' }: OwnPayout,
): PendingQuery<Row[]> {
  return sql`withdrawal.id = ${id} AND withdrawal.merchant_id = ${merchantId} AND withdrawal.kind = ANY (${[...ROWS[kind]]})`
}

/** Locks the payout, and what it refunds. @throws KeyturnError `NOT_FOUND`. */
export async function lockOwnWithdrawal(tx: Transaction, payout: OwnPayout): Promise<PayoutRow> {
  const [row] = await tx<PayoutRow[]>`
    SELECT * FROM payouts withdrawal WHERE ${isOwnPayout(tx, payout)} FOR UPDATE`
  if (!row) throw payoutNotFound(payout)
  await lockRefund(tx, row)
  return row
}

/** Returns the error for a payout that does not exist, or is another merchant's. */
export function payoutNotFound({ id, kind = 'withdrawal' }: Pick<OwnPayout, 'id' | 'kind'>): KeyturnError {
  if (kind === 'withdrawal') return withdrawalNotFound(id)
  const what = kind === 'part' ? 'part of a batch' : 'movement'
  return new KeyturnError('NOT_FOUND', `There is no such ${what}; check the id`, { details: { id } })
}
