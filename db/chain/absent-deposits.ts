/** Lists detected deposits that are in no mempool, with the inputs of their transactions. */

import type { Queryable } from '../connect.js'

/** Transactions checked at a time. Those that left last can still come back or be overtaken. */
const BATCH = 20

export interface AbsentDeposit {
  readonly txid: string
  /** As in `Spend`: on EVM networks the sender and the nonce. */
  readonly prevTxid: string
  readonly prevVout: number
}

/**
 * Takes the transactions that were never checked, those that left last first, and then those that were
 * checked longest ago, so that each has its turn.
 */
export async function takeAbsentDeposits(sql: Queryable, network: string): Promise<AbsentDeposit[]> {
  const rows = await sql<{ txid: string; prev_txid: string; prev_vout: number }[]>`
    WITH taken AS (
      SELECT txid, min(absence_checked_at) AS checked_at, max(absent_since) AS absent_since FROM deposits
      WHERE network = ${network} AND status = 'detected' AND absent_since IS NOT NULL
      GROUP BY txid ORDER BY checked_at NULLS FIRST, absent_since DESC, txid LIMIT ${BATCH}
    ), marked AS (
      UPDATE deposits SET absence_checked_at = clock_timestamp() FROM taken
      WHERE deposits.network = ${network} AND deposits.txid = taken.txid AND deposits.status = 'detected'
    )
    SELECT DISTINCT ON (input.txid) input.txid, input.prev_txid, input.prev_vout
    FROM taken JOIN deposit_inputs input ON input.network = ${network} AND input.txid = taken.txid
    ORDER BY input.txid`
  return rows.map((row) => ({ txid: row.txid, prevTxid: row.prev_txid, prevVout: row.prev_vout }))
}
