/** Counts the outputs that a payout on a UTXO network is likely to spend, for the fee estimate. */

import type { Queryable } from '../../connect.js'
import { MOST_INPUTS } from '../attempts/list-spendable-outputs.js'

/**
 * Counts the merchant's largest unspent outputs that cover `amount`; at least 1. When the wallets hold too
 * little, counts all of them.
 */
export async function countLikelyInputs(
  sql: Queryable,
  merchantId: string,
  network: string,
  amount: bigint,
): Promise<number> {
  const [row] = await sql<{ inputs: number }[]>`
    SELECT count(*)::int AS inputs FROM (
      SELECT sum(amount) OVER (ORDER BY amount DESC, txid, vout) - amount AS covered_before
      FROM utxos
      WHERE merchant_id = ${merchantId} AND network = ${network} AND spent_by IS NULL AND block_number IS NOT NULL
      ORDER BY amount DESC, txid, vout LIMIT ${MOST_INPUTS}
    ) largest
    WHERE covered_before < ${amount.toString()}::numeric`
  return Math.max(1, row?.inputs ?? 1)
}
