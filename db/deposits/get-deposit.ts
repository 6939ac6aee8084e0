/** Reads one deposit of a merchant. */

import type { Queryable } from '../connect.js'
import { selectDeposits } from './deposit-row.js'
import type { ListedDeposit } from './list-deposits.js'

/** Returns the deposit. `null` if there is none, or it is another merchant's. */
export async function getDeposit(
  sql: Queryable,
  merchantId: string,
  id: string,
): Promise<ListedDeposit | null> {
  const [row] = await sql<ListedDeposit[]>`
    SELECT each.*, cursor.height AS scanned_height
    FROM (${selectDeposits(sql)} WHERE deposit.id = ${id} AND deposit.merchant_id = ${merchantId}) each
    LEFT JOIN chain_cursors cursor ON cursor.network = each.network`
  return row ?? null
}
