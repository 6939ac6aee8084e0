/** Ends a pause that an operator placed, once enough operators have asked for it. */

import { KeyturnError } from '../../../domain/errors.js'
import { appendAudit } from '../../audit/append-audit.js'
import type { Transaction } from '../../connect.js'
import { OPERATOR } from '../../merchants/operator.js'
import type { PauseRow } from './pause-row.js'
import { endPause } from './resume-settlement.js'

export interface ResumeVote {
  readonly pauseId: string
  /** Person who asks, or the API key of no person. One counts once. */
  readonly voter: string
  readonly reason: string
  readonly actor: string
  /** Operators who must ask: `KEYTURN_OPERATOR_APPROVALS`. */
  readonly required: number
  /** Time for which a vote counts, in milliseconds: `KEYTURN_CHANGE_EXPIRY`. */
  readonly expiryMs: number
}

/**
 * Counts the vote, and ends the pause with the last one that is needed. Old votes, and those of keys that were
 * revoked, do not count.
 *
 * @returns How many have asked, and whether the pause has ended.
 * @throws KeyturnError `NOT_FOUND` if no such pause of an operator stands.
 */
export async function voteToResume(
  tx: Transaction,
  vote: ResumeVote,
): Promise<{ readonly votes: number; readonly ended: boolean }> {
  const { pauseId, voter, reason, actor, required, expiryMs } = vote
  const [pause] = await tx<PauseRow[]>`
    SELECT * FROM settlement_pauses
    WHERE id = ${pauseId} AND placed_by = 'operator' AND resumed_at IS NULL FOR UPDATE`
  if (!pause) {
    throw new KeyturnError('NOT_FOUND', 'No such pause of an operator stands. Check the id', {
      details: { id: pauseId },
    })
  }
  const stored = await tx`
    INSERT INTO settlement_resume_votes AS vote (pause_id, voter, reason) VALUES (${pauseId}, ${voter}, ${reason})
    ON CONFLICT (pause_id, voter) DO UPDATE SET reason = EXCLUDED.reason, voted_at = clock_timestamp()
      WHERE vote.voted_at < clock_timestamp() - ${expiryMs} * interval '1 millisecond'
    RETURNING pause_id`
  if (stored.length > 0) {
    await appendAudit(tx, {
      merchantId: OPERATOR,
      actor,
      action: 'settlement.resume_voted',
      subject: pauseId,
      data: { reason },
    })
  }
  const [count] = await tx<{ votes: number }[]>`
    SELECT count(*)::int AS votes FROM settlement_resume_votes vote
    WHERE pause_id = ${pauseId} AND voted_at >= clock_timestamp() - ${expiryMs} * interval '1 millisecond'
      AND NOT EXISTS (SELECT FROM api_keys WHERE id = vote.voter AND revoked_at IS NOT NULL)`
  const votes = count?.votes ?? 0
  const ended = votes >= required && (await endPause(tx, pauseId, { actor, data: { votes } }))
  return { votes, ended }
}
