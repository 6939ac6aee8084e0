/** Signers' answers that are stored and that no workflow has acted on: the signal was lost with the process that sent it. */

import type { Queryable } from '../connect.js'

/** Taken at a time; the next sweep takes the next. */
const BATCH = 500

/**
 * Ids of the withdrawals that still wait although their signer has answered, oldest first.
 *
 * @param olderThanMs - Leaves alone what is being acted on right now.
 */
export async function unheardAnswers(sql: Queryable, olderThanMs: number): Promise<string[]> {
  const rows = await sql<{ subject_id: string }[]>`
    SELECT request.subject_id
    FROM withdrawals withdrawal JOIN signing_requests request ON request.subject_id = withdrawal.id
    JOIN transactions attempt ON attempt.id = request.transaction_id AND attempt.state = 'built'
    WHERE withdrawal.stage IN ('pending_signature', 'broadcasting', 'confirming') AND request.state IN ('signed', 'refused')
      AND request.answered_at < clock_timestamp() - ${olderThanMs} * interval '1 millisecond'
    ORDER BY request.answered_at LIMIT ${BATCH}`
  return rows.map((row) => row.subject_id)
}
