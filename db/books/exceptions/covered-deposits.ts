/** Says which deposits a standing dispute holds already, so that no other one holds them too. */

import type { Transaction } from '../../connect.js'

/**
 * Returns those of the deposits that are held: by name, or within all that their user had when a dispute about the user
 * was raised. A hold from before holds had deposits counts as one of its payment's deposits.
 */
export async function readCovered(
  tx: Transaction,
  merchantId: string,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set()
  const rows = await tx<{ id: string }[]>`
    SELECT deposit.id FROM deposits deposit
    WHERE deposit.id = ANY (${[...ids]}) AND deposit.merchant_id = ${merchantId} AND EXISTS (
      SELECT FROM exception_holds hold
      JOIN exceptions exception ON exception.id = hold.exception_id
      JOIN ledger_journals journal ON journal.id = hold.journal_id
      WHERE hold.merchant_id = ${merchantId} AND hold.network = deposit.network AND hold.coin = deposit.coin
        AND hold.owner = coalesce(deposit.user_reference, '') AND hold.released_at IS NULL
        AND (hold.deposit_id = deposit.id
          OR hold.deposit_id IS NULL AND journal.recorded_at > deposit.credited_at - interval '1 millisecond'
            AND (exception.subject_type = 'user' OR exception.subject_id = deposit.payment_id)))`
  return new Set(rows.map((row) => row.id))
}
