/** Places a pause of settlement. One person does it, and it works at once. */

import type { PausedBy } from '../../../domain/controls/settlement-pause.js'
import { appendAudit } from '../../audit/append-audit.js'
import type { Transaction } from '../../connect.js'
import { OPERATOR } from '../../merchants/operator.js'
import { newId } from '../../new-id.js'
import { moveControlChange } from '../changes/move-control-change.js'
import type { PauseRow, PauseScope } from './pause-row.js'
import { lockWaitingResumption } from './resume-settlement.js'

export interface NewPause extends PauseScope {
  readonly placedBy: PausedBy
  readonly reason: string
  /** Actor for the audit log. */
  readonly actor: string
}

export interface PlacedPause {
  readonly pause: PauseRow
  /** Id of the resumption that was revoked. */
  readonly revoked: string | null
}

/**
 * Stores the pause, or finds the same one that stands. A resumption that waits for its approvals is revoked:
 * a person who asks for a pause again wants that nothing is sent. Call it with `repeatTransaction`.
 */
export async function placePause(tx: Transaction, pause: NewPause): Promise<PlacedPause> {
  const { merchantId, network, coin, placedBy, reason, actor } = pause
  // Locked in the order of a decision, which may be ending the pause at this moment.
  const waiting = await revokeWaiting(tx, pause)
  const known = await lockStanding(tx, pause)
  if (known) {
    const votes = await tx`DELETE FROM settlement_resume_votes WHERE pause_id = ${known.id} RETURNING voter`
    if (votes.length > 0) {
      const data = { votes: votes.map(({ voter }) => voter) }
      await appendAudit(tx, {
        merchantId: OPERATOR,
        actor,
        action: 'settlement.votes_taken_back',
        subject: known.id,
        data,
      })
    }
    // A resumption may have been asked for while this waited for the row.
    return { pause: known, revoked: waiting ?? (await revokeWaiting(tx, pause)) }
  }
  const [row] = await tx<PauseRow[]>`
    INSERT INTO settlement_pauses (id, placed_by, merchant_id, network, coin, reason, actor)
    VALUES (${newId('pse')}, ${placedBy}, ${merchantId}, ${network}, ${coin}, ${reason}, ${actor})
    ON CONFLICT (placed_by, merchant_id, network, coin) WHERE resumed_at IS NULL DO NOTHING RETURNING *`
  // Another request has stored the same one meanwhile.
  if (!row) return placePause(tx, pause)
  await appendAudit(tx, {
    merchantId: placedBy === 'merchant' ? (merchantId ?? OPERATOR) : OPERATOR,
    actor,
    action: 'settlement.paused',
    subject: row.id,
    data: { merchant_id: merchantId, network, coin, reason },
  })
  return { pause: row, revoked: waiting }
}

async function lockStanding(tx: Transaction, pause: NewPause): Promise<PauseRow | null> {
  const [row] = await tx<PauseRow[]>`
    SELECT * FROM settlement_pauses
    WHERE resumed_at IS NULL AND placed_by = ${pause.placedBy}
      AND merchant_id IS NOT DISTINCT FROM ${pause.merchantId}
      AND network IS NOT DISTINCT FROM ${pause.network} AND coin IS NOT DISTINCT FROM ${pause.coin} FOR UPDATE`
  return row ?? null
}

/** Revokes the resumption that a merchant's people may still approve. @returns Its id. */
async function revokeWaiting(tx: Transaction, pause: NewPause): Promise<string | null> {
  if (pause.placedBy !== 'merchant' || pause.merchantId === null) return null
  const waiting = await lockWaitingResumption(tx, pause.merchantId)
  if (waiting) {
    await moveControlChange(tx, waiting, { to: 'revoked', at: new Date(), actor: pause.actor })
  }
  return waiting?.id ?? null
}
