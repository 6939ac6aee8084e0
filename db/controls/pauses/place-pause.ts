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
 * a person who asks for a pause again wants that nothing is sent.
 */
export async function placePause(tx: Transaction, pause: NewPause): Promise<PlacedPause> {
  const { merchantId, network, coin, placedBy, reason, actor } = pause
  // Exclusive, where `begin_send` takes it shared.
  await tx`SELECT pg_advisory_xact_lock(hashtextextended('settlement', 0))`
  // Locked in the order of a decision, which may be ending the pause at this moment.
  const waiting =
    placedBy === 'merchant' && merchantId !== null ? await lockWaitingResumption(tx, merchantId) : null
  if (waiting) await moveControlChange(tx, waiting, { to: 'revoked', at: new Date(), actor })
  const revoked = waiting?.id ?? null
  const [known] = await tx<PauseRow[]>`
    SELECT * FROM settlement_pauses
    WHERE resumed_at IS NULL AND placed_by = ${placedBy} AND merchant_id IS NOT DISTINCT FROM ${merchantId}
      AND network IS NOT DISTINCT FROM ${network} AND coin IS NOT DISTINCT FROM ${coin} FOR UPDATE`
  if (known) {
    await tx`DELETE FROM settlement_resume_votes WHERE pause_id = ${known.id}`
    return { pause: known, revoked }
  }
  const [row] = await tx<PauseRow[]>`
    INSERT INTO settlement_pauses (id, placed_by, merchant_id, network, coin, reason, actor)
    VALUES (${newId('pse')}, ${placedBy}, ${merchantId}, ${network}, ${coin}, ${reason}, ${actor}) RETURNING *`
  if (!row) throw new Error('The pause was not stored')
  await appendAudit(tx, {
    merchantId: placedBy === 'merchant' ? (merchantId ?? OPERATOR) : OPERATOR,
    actor,
    action: 'settlement.paused',
    subject: row.id,
    data: { merchant_id: merchantId, network, coin, reason },
  })
  return { pause: row, revoked }
}
