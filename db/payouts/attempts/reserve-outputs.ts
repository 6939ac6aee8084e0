/** Reserves outpoints for one payout. */

import type { Transaction } from '../../connect.js'
import type { PayoutRow } from '../payout-row.js'

/**
 * Reserves outpoints. Each has at most one open reservation, which the unique index enforces in every race.
 * What this payout has reserved already stays its own.
 *
 * @returns False when another payout has reserved one of them, a transaction spent it, or its block left the
 * chain. The caller then rolls back.
 */
export async function reserveOutputs(
  tx: Transaction,
  row: Pick<PayoutRow, 'id' | 'network'>,
  transactionId: string,
  outpoints: readonly { readonly txid: string; readonly vout: number }[],
): Promise<boolean> {
  const txids = outpoints.map((each) => each.txid)
  const vouts = outpoints.map((each) => each.vout)
  // The caller holds the payout's lock, so nothing else reserves for it between the two parts.
  const [mine] = await tx<{ count: number }[]>`
    WITH wanted AS (
      SELECT * FROM unnest(${txids}::text[], ${vouts}::int[]) AS wanted (txid, vout)
    ), held AS (
      SELECT FROM wanted
      JOIN utxo_reservations reservation ON reservation.network = ${row.network} AND reservation.txid = wanted.txid
        AND reservation.vout = wanted.vout AND reservation.released_at IS NULL AND reservation.payout_id = ${row.id}
    ), reserved AS (
      INSERT INTO utxo_reservations (network, txid, vout, payout_id, transaction_id)
      SELECT ${row.network}, output.txid, output.vout, ${row.id}, ${transactionId}
      FROM wanted
      JOIN utxos output ON output.network = ${row.network} AND output.txid = wanted.txid AND output.vout = wanted.vout
      WHERE output.spent_by IS NULL AND output.block_number IS NOT NULL
      ORDER BY output.txid, output.vout
      ON CONFLICT (network, txid, vout) WHERE released_at IS NULL DO NOTHING
      RETURNING txid
    )
    SELECT ((SELECT count(*) FROM held) + (SELECT count(*) FROM reserved))::int AS count`
  return mine?.count === outpoints.length
}
