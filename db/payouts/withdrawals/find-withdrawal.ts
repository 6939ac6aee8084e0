/** Finds a merchant's withdrawal. */

import type { Intent } from '../../../domain/controls/intent.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { Queryable } from '../../connect.js'
import type { PayoutRow } from '../payout-row.js'

/** A row of the kind `withdrawal`, which has an intent of its own. */
export type RequestedWithdrawal = PayoutRow & { readonly intent: Intent }

/** Returns the row. @throws KeyturnError `NOT_FOUND`, also for another merchant's withdrawal. */
export async function findWithdrawal(
  sql: Queryable,
  merchantId: string,
  id: string,
): Promise<RequestedWithdrawal> {
  const [row] = await sql<RequestedWithdrawal[]>`
    SELECT * FROM payouts WHERE id = ${id} AND merchant_id = ${merchantId} AND kind = 'withdrawal'`
  if (!row) throw withdrawalNotFound(id)
  return row
}

/** Returns the error `NOT_FOUND` for a withdrawal. */
export function withdrawalNotFound(id: string): KeyturnError {
  return new KeyturnError('NOT_FOUND', 'There is no such withdrawal; check the id', { details: { id } })
}
