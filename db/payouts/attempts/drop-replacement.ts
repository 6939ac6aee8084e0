/** Drops a further attempt that was not signed. The attempts before it stay. */

import { appendAudit } from '../../audit/append-audit.js'
import { inTransaction, type Sql } from '../../connect.js'
import { lockWithdrawal } from '../payout-row.js'

/**
 * Abandons an attempt that waits for its signature, and releases what it alone had reserved. Does nothing
 * while a signer holds the request without an answer: it may have signed.
 *
 * @param drop.answered - The answer was checked and is no signature of the transaction: refused, or
 * worthless.
 */
export async function dropReplacement(
  sql: Sql,
  id: string,
  drop: {
    readonly transactionId: string
    readonly actor: string
    readonly reason: string
    readonly answered: boolean
    readonly audit?: Readonly<Record<string, unknown>>
  },
): Promise<boolean> {
  return inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    const [request] = await tx<{ id: string; state: string }[]>`
      SELECT id, state FROM signing_requests WHERE transaction_id = ${drop.transactionId} FOR UPDATE`
    const free = request?.state === 'queued' || request?.state === 'refused' || drop.answered
    if (!request || !free) return false
    const abandoned = await tx`
      UPDATE attempts SET state = 'abandoned' WHERE id = ${drop.transactionId} AND state = 'built' RETURNING id`
    if (abandoned.length === 0) return false
    await tx`
      UPDATE signing_requests SET state = 'withdrawn', lease_until = NULL WHERE id = ${request.id} AND state = 'queued'`
    await tx`
      UPDATE utxo_reservations SET released_at = clock_timestamp()
      WHERE transaction_id = ${drop.transactionId} AND released_at IS NULL`
    await appendAudit(tx, {
      merchantId: row.merchant_id,
      actor: drop.actor,
      action: 'withdrawal.replacement_dropped',
      subject: id,
      data: { transaction_id: drop.transactionId, reason: drop.reason, ...drop.audit },
    })
    return true
  })
}
