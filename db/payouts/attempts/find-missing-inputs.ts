/** Finds the inputs that a further attempt cannot spend at the moment. */

import type { Queryable } from '../../connect.js'

export interface Outpoint {
  readonly txid: string
  readonly vout: number
}

/**
 * Returns those of our outpoints that are in no block (any more), and those that a mined transaction has
 * spent.
 */
export async function findMissingInputs(
  sql: Queryable,
  network: string,
  outpoints: readonly Outpoint[],
): Promise<Outpoint[]> {
  return sql<Outpoint[]>`
    SELECT wanted.txid, wanted.vout
    FROM unnest(${outpoints.map((each) => each.txid)}::text[], ${outpoints.map((each) => each.vout)}::int[]) AS wanted (txid, vout)
    JOIN utxos output ON output.network = ${network} AND output.txid = wanted.txid AND output.vout = wanted.vout
    WHERE output.block_number IS NULL OR output.spent_at_block IS NOT NULL`
}
