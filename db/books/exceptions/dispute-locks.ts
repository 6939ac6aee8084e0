/** Locks disputes that may concern the same money, in the order of their ids. */

import type { Transaction } from '../../connect.js'

/** Names the cause of a dispute about a subject. */
export function disputeCause({ type, id }: { readonly type: string; readonly id: string }): string {
  return `dispute:${type}:${id}`
}

/** Standing dispute. */
export interface Dispute {
  readonly id: string
  readonly merchant_id: string
  readonly subject_type: string
  readonly subject_id: string
}

/**
 * Locks the standing disputes about a user, a user's payments or a user's deposits, oldest first.
 *
 * @param userReference - `null` for deposits that belong to no user.
 */
export async function lockDisputes(
  tx: Transaction,
  merchantId: string,
  userReference: string | null,
): Promise<readonly Dispute[]> {
  return tx<Dispute[]>`
    SELECT id, merchant_id, subject_type, subject_id FROM exceptions
    WHERE merchant_id = ${merchantId} AND kind = 'dispute' AND status <> 'resolved'
      AND user_reference IS NOT DISTINCT FROM ${userReference}
    ORDER BY id FOR UPDATE`
}
