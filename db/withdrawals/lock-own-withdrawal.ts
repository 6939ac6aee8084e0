/** A merchant's withdrawal for a person who decides about it. */

import type { Transaction } from '../connect.js'
import { withdrawalNotFound } from './find-withdrawal.js'
import type { WithdrawalRow } from './withdrawal-row.js'

/** Who decides: the person behind the API key, and whether that key has the scope `admin`. */
export interface Decider {
  readonly merchantId: string
  readonly id: string
  readonly personId: string | null
  readonly admin: boolean
  readonly actor: string
}

/** Locks it. @throws KeyturnError `NOT_FOUND`. */
export async function lockOwnWithdrawal(
  tx: Transaction,
  { merchantId, id }: Pick<Decider, 'merchantId' | 'id'>,
): Promise<WithdrawalRow> {
  const [row] = await tx<WithdrawalRow[]>`
    SELECT * FROM withdrawals WHERE id = ${id} AND merchant_id = ${merchantId} AND kind = 'withdrawal' FOR UPDATE`
  if (!row) throw withdrawalNotFound(id)
  return row
}
