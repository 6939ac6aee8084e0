/** Marks a rise of a balance as booked by the journal that credits it. */

import type { Transaction } from '../connect.js'
import type { RecordedRise } from './find-rise.js'

/**
 * Marks it. It stays recorded, so that it is not found again.
 *
 * @throws Error if it is booked already, or is not there any more. The caller has locked the chain's cursor and has
 * found it.
 */
export async function bookRise(tx: Transaction, rise: RecordedRise, journalId: bigint): Promise<void> {
  const { count } = await tx`
    UPDATE balance_rises SET journal_id = ${journalId}
    WHERE network = ${rise.network} AND address_id = ${rise.addressId} AND coin = ${rise.coin}
      AND source = ${rise.source} AND reference = ${rise.reference} AND journal_id IS NULL`
  if (count !== 1) throw new Error(`The rise ${rise.reference} of ${rise.addressId} cannot be booked`)
}
