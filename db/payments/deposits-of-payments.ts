/** Reads the deposits that carry the ids of payments. */

import type { DepositStatus } from '../../domain/deposits/deposit-status.js'
import { groupBy } from '../../domain/group-by.js'
import type { Queryable } from '../connect.js'

export interface DepositOfPayment {
  readonly id: string
  readonly payment_id: string
  readonly txid: string
  readonly coin: string
  /** Base units of its coin. */
  readonly amount: bigint
  /** Decimal places of its coin. `null` if no configuration ever named it. */
  readonly decimals: number | null
  readonly status: DepositStatus
  readonly detected_at: Date
  readonly confirmations: number
  readonly required_confirmations: number
}

/** Returns the deposits by payment, oldest first. A payment without deposits has no entry. */
export async function depositsOfPayments(
  sql: Queryable,
  paymentIds: readonly string[],
): Promise<ReadonlyMap<string, readonly DepositOfPayment[]>> {
  const rows = await sql<DepositOfPayment[]>`
    SELECT deposit.id, deposit.payment_id, deposit.txid, deposit.coin, deposit.amount, known.decimals, deposit.status,
           deposit.detected_at, deposit.required_confirmations,
           greatest(0, coalesce(cursor.height - deposit.block_number + 1, 0))::integer AS confirmations
    FROM deposits deposit
    LEFT JOIN known_coins known ON known.network = deposit.network AND known.name = deposit.coin
    LEFT JOIN chain_cursors cursor ON cursor.network = deposit.network
    WHERE deposit.payment_id = ANY (${[...paymentIds]})
    ORDER BY deposit.id`
  return groupBy(rows, (row) => row.payment_id)
}
