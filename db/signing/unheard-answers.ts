/**
 * Finds signers' answers that are stored and on which no workflow has acted: the signal was lost with the
 * process that sent it.
 */

import { ASKING_PAYOUTS } from '../../domain/payouts/stage-sets.js'
import type { Queryable } from '../connect.js'
import { members } from '../members.js'
import { notPutOff } from '../operations/sweep-failures.js'

/** Most that one sweep takes. The next sweep takes the next. */
const BATCH = 500

/**
 * Returns the payouts that still wait although their signer has answered, oldest first.
 *
 * @param olderThanMs - Minimum age, so that an answer which is being acted on is left alone.
 */
export async function unheardAnswers(
  sql: Queryable,
  olderThanMs: number,
): Promise<{ id: string; merchantId: string }[]> {
  const rows = await sql<{ id: string; merchant_id: string }[]>`
    SELECT withdrawal.id, withdrawal.merchant_id
    FROM payouts withdrawal JOIN signing_requests request ON request.payout_id = withdrawal.id
    JOIN attempts attempt ON attempt.id = request.transaction_id AND attempt.state = 'built'
    WHERE withdrawal.stage IN ${members(sql, ASKING_PAYOUTS)} AND request.state IN ('signed', 'refused')
      AND request.answered_at < clock_timestamp() - ${olderThanMs} * interval '1 millisecond'
      AND ${notPutOff(sql, 'withdrawal.id')}
    ORDER BY request.answered_at LIMIT ${BATCH}`
  return rows.map((row) => ({ id: row.id, merchantId: row.merchant_id }))
}
