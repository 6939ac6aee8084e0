/** Reads the deposits that carry the ids of payments. */

import type { DepositStatus } from '../../domain/deposits/deposit-status.js'
import { groupBy } from '../../domain/group-by.js'
import type { PaymentDeposit } from '../../domain/payments/evaluate-payment.js'
import type { Queryable, Transaction } from '../connect.js'

/**
 * Most deposits of a payment that are shown with it. A payer decides how many there are, and each one would
 * be in every later event.
 */
export const DEPOSITS_SHOWN = 100

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

/**
 * Returns the newest deposits of each payment, at most `DEPOSITS_SHOWN`, oldest first. A payment without
 * deposits has no entry.
 */
export async function depositsOfPayments(
  sql: Queryable,
  paymentIds: readonly string[],
): Promise<ReadonlyMap<string, readonly DepositOfPayment[]>> {
  const rows = await sql<DepositOfPayment[]>`
    SELECT deposit.id, deposit.payment_id, deposit.txid, deposit.coin, deposit.amount, known.decimals, deposit.status,
           deposit.detected_at, deposit.required_confirmations,
           greatest(0, coalesce(cursor.height - deposit.block_number + 1, 0))::integer AS confirmations
    FROM unnest(${[...paymentIds]}::text[]) AS payment (id)
    CROSS JOIN LATERAL (
      SELECT * FROM deposits WHERE payment_id = payment.id ORDER BY id DESC LIMIT ${DEPOSITS_SHOWN}
    ) deposit
    LEFT JOIN known_coins known ON known.network = deposit.network AND known.name = deposit.coin
    LEFT JOIN chain_cursors cursor ON cursor.network = deposit.network
    ORDER BY deposit.id`
  return groupBy(rows, (row) => row.payment_id)
}

/**
 * Sums all deposits of payments by what matters for their value. Call it under the locks of the payments. A
 * payment without deposits has no entry.
 */
export async function sumDeposits(
  tx: Transaction,
  paymentIds: readonly string[],
): Promise<ReadonlyMap<string, readonly PaymentDeposit[]>> {
  const rows = await tx<(PaymentDeposit & { readonly payment_id: string })[]>`
    SELECT deposit.payment_id, deposit.coin, deposit.status, sum(deposit.amount) AS amount, count(*)::integer AS count,
           -- A decision is about one mining, and one that left the deposit held rejected it.
           deposit.status = 'held' AND (deposit.decision ->> 'epoch')::integer IS NOT DISTINCT FROM deposit.epoch AS rejected,
           deposit.after_end OR deposit.detected_at >= payment.expires_at AS late
    FROM payments payment JOIN deposits deposit ON deposit.payment_id = payment.id
    WHERE payment.id = ANY (${[...paymentIds]})
    GROUP BY deposit.payment_id, deposit.coin, deposit.status, rejected, late`
  return groupBy(rows, (row) => row.payment_id)
}
