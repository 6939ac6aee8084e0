/**
 * Finds the blocks of the scanned chain that exclude the attempts of a payout: another transaction spent
 * their inputs, or an input never came to exist.
 */

import type { Queryable } from '../../connect.js'

/** Why an attempt can no longer be mined, as long as that block stands. */
export interface Exclusion {
  /** Id of the attempt. */
  readonly attempt: string
  /** Transaction that spent the outpoint. */
  readonly by: string
  /** Height of its block. */
  readonly height: number
  /** Outpoint, `txid:vout`. */
  readonly outpoint: string
  /**
   * Whether the outpoint is an input of the attempt itself. False: an input of a transaction whose output the
   * attempt spends.
   */
  readonly direct: boolean
  /** Height of the scanned head at the same instant. */
  readonly scanned: number
}

/**
 * Follows the inputs of every attempt down through transactions that are in no block: one that lost an input
 * to another transaction invalidates everything that spends its outputs. The inputs of such a transaction are
 * known if it is one of our own attempts or a deposit. Of several blocks the lowest counts. Applies to UTXO
 * networks only; an EVM attempt has no inputs.
 */
export async function findExclusions(
  sql: Queryable,
  payoutId: string,
): Promise<ReadonlyMap<string, Exclusion>> {
  const rows = await sql<(Omit<Exclusion, 'height' | 'scanned'> & { height: bigint; scanned: bigint })[]>`
    WITH RECURSIVE needed (attempt, network, spender, txid, vout, direct) AS (
      SELECT attempt.id, attempt.network, attempt.txid, input.txid, input.vout, true
      FROM attempts attempt
      CROSS JOIN LATERAL jsonb_to_recordset(attempt.inputs) AS input (txid text, vout integer)
      WHERE attempt.payout_id = ${payoutId}
      UNION
      SELECT needed.attempt, needed.network, needed.txid, parent.txid, parent.vout, false
      FROM needed
      CROSS JOIN LATERAL (
        SELECT input.txid, input.vout
        FROM attempts own CROSS JOIN LATERAL jsonb_to_recordset(own.inputs) AS input (txid text, vout integer)
        WHERE own.network = needed.network AND own.txid = needed.txid
        UNION
        SELECT prev_txid, prev_vout FROM deposit_inputs
        WHERE deposit_inputs.network = needed.network AND deposit_inputs.txid = needed.txid
      ) parent
      -- What is in a block needs nothing any more.
      WHERE NOT EXISTS (
        SELECT FROM utxos output
        WHERE output.network = needed.network AND output.txid = needed.txid AND output.block_number IS NOT NULL)
    )
    SELECT DISTINCT ON (needed.attempt) needed.attempt, spend.by, spend.height,
           needed.txid || ':' || needed.vout AS outpoint, needed.direct, cursor.height AS scanned
    FROM needed
    JOIN chain_cursors cursor ON cursor.network = needed.network
    CROSS JOIN LATERAL (
      SELECT spent_by AS by, spent_at_block AS height FROM utxos
      WHERE utxos.network = needed.network AND utxos.txid = needed.txid AND utxos.vout = needed.vout
      UNION ALL
      SELECT spent_by, spent_at_block FROM deposit_inputs
      WHERE deposit_inputs.network = needed.network AND prev_txid = needed.txid AND prev_vout = needed.vout
    ) spend
    -- An attempt whose hash is not known yet may be the very transaction that spent it.
    WHERE spend.height IS NOT NULL AND spend.by <> needed.spender
    ORDER BY needed.attempt, spend.height, needed.direct DESC, outpoint`
  return new Map(
    rows.map((row) => [row.attempt, { ...row, height: Number(row.height), scanned: Number(row.scanned) }]),
  )
}
