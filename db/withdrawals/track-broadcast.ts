/** A signed withdrawal on its way: being sent, known to the network, mined. */

import type { Networks } from '../../domain/network.js'
import type { Queryable, Sql } from '../connect.js'
import { moveWithdrawal } from './move-withdrawal.js'
import { lockWithdrawal } from './withdrawal-row.js'

/** Signed → broadcasting, before the first byte leaves. */
export async function startBroadcast(sql: Sql, networks: Networks, id: string): Promise<void> {
  await sql.begin(async (tx) => {
    const row = await lockWithdrawal(tx, id)
    if (row.stage !== 'signed') return
    await moveWithdrawal(tx, networks, row, { to: 'broadcasting', actor: 'system:withdrawal' })
  })
}

/** Broadcasting → confirming: a node has it, or it is mined already. */
export async function markBroadcast(
  sql: Sql,
  networks: Networks,
  id: string,
  transactionId: string,
): Promise<void> {
  await sql.begin(async (tx) => {
    const row = await lockWithdrawal(tx, id)
    await tx`
      UPDATE transactions SET state = CASE state WHEN 'signed' THEN 'broadcast' ELSE state END,
                              broadcast_at = coalesce(broadcast_at, clock_timestamp())
      WHERE id = ${transactionId}`
    if (row.stage !== 'broadcasting') return
    await moveWithdrawal(tx, networks, row, { to: 'confirming', actor: 'system:withdrawal' })
  })
}

/** Takes note of a block, where the watcher has not seen it yet; the watcher signals when it is deep enough. */
export async function markMined(
  sql: Queryable,
  transactionId: string,
  mined: { readonly blockNumber: number; readonly blockHash: string; readonly required: number },
): Promise<void> {
  await sql`
    UPDATE transactions
    SET state = 'mined', block_number = ${mined.blockNumber}, block_hash = ${mined.blockHash},
        target_height = ${mined.blockNumber + mined.required - 1}, conflict_height = NULL
    WHERE id = ${transactionId} AND state IN ('signed', 'broadcast')`
}

/** Keeps the height at which a stranger's conflicting transaction was first seen; null when it is not there (any more). */
export async function noteConflict(
  sql: Queryable,
  transactionId: string,
  height: number | null,
): Promise<void> {
  await sql`
    UPDATE transactions
    SET conflict_height = CASE WHEN ${height}::bigint IS NULL THEN NULL
                               ELSE coalesce(conflict_height, ${height}::bigint) END
    WHERE id = ${transactionId}`
}

/** Of the inputs of a transaction, the lowest block in which a transaction with another txid spent one; null if none. */
export async function findForeignSpend(
  sql: Queryable,
  transactionId: string,
): Promise<{ readonly by: string; readonly height: number } | null> {
  const [row] = await sql<{ spent_by: string; spent_at_block: bigint }[]>`
    SELECT output.spent_by, output.spent_at_block
    FROM transactions payment
    CROSS JOIN LATERAL jsonb_to_recordset(payment.inputs) AS input (txid text, vout integer)
    JOIN utxos output ON output.network = payment.network AND output.txid = input.txid AND output.vout = input.vout
    WHERE payment.id = ${transactionId} AND output.spent_by <> payment.txid AND output.spent_at_block IS NOT NULL
    ORDER BY output.spent_at_block LIMIT 1`
  return row ? { by: row.spent_by, height: Number(row.spent_at_block) } : null
}
