/** Detected deposits that are in no mempool, with what their transactions use up. */

import type { Queryable } from '../connect.js'

/** Asked about at a time; those that went last may still come back or be overtaken. */
const BATCH = 20

export interface AbsentDeposit {
  readonly txid: string
  /** As `Spend`: on EVM networks the sender and the nonce. */
  readonly prevTxid: string
  readonly prevVout: number
}

/** The ones that went last, first. */
export async function absentDeposits(sql: Queryable, network: string): Promise<AbsentDeposit[]> {
  const rows = await sql<{ txid: string; prev_txid: string; prev_vout: number }[]>`
    SELECT DISTINCT ON (deposit.absent_since, deposit.txid) deposit.txid, input.prev_txid, input.prev_vout
    FROM deposits deposit
    JOIN deposit_inputs input ON input.network = deposit.network AND input.txid = deposit.txid
    WHERE deposit.network = ${network} AND deposit.status = 'detected' AND deposit.absent_since IS NOT NULL
    ORDER BY deposit.absent_since DESC, deposit.txid LIMIT ${BATCH}`
  return rows.map((row) => ({ txid: row.txid, prevTxid: row.prev_txid, prevVout: row.prev_vout }))
}
