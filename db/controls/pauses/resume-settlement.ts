/** Ends a merchant's own pause of settlement: one person asks for it, and two others approve it. */

import type { SettlementResumeIntent } from '../../../domain/controls/intent.js'
import { KeyturnError } from '../../../domain/errors.js'
import { appendAudit } from '../../audit/append-audit.js'
import type { Queryable, Transaction } from '../../connect.js'
import { OPERATOR } from '../../merchants/operator.js'
import { newId } from '../../new-id.js'
import type { SettlementResumeRow } from '../changes/control-change-row.js'
import { insertControlChange } from '../changes/insert-control-change.js'
import type { PauseRow } from './pause-row.js'

export interface ResumeRequest {
  readonly merchantId: string
  readonly reason: string
  readonly initiator: string
  readonly actor: string
  readonly expiryMs: number
}

/**
 * Stores the request. The pause stands until two people have approved it.
 *
 * @throws KeyturnError `INVALID_STATE` if the merchant has not paused, or a request waits already.
 */
export async function requestResume(
  tx: Transaction,
  request: ResumeRequest,
): Promise<SettlementResumeIntent> {
  const { merchantId, reason } = request
  const [pause] = await tx<PauseRow[]>`
    SELECT * FROM settlement_pauses
    WHERE resumed_at IS NULL AND placed_by = 'merchant' AND merchant_id = ${merchantId} FOR UPDATE`
  if (!pause) {
    throw new KeyturnError(
      'INVALID_STATE',
      'You have not paused settlement. A pause of the operator is ended by the operator',
    )
  }
  const waiting = await findWaitingResumption(tx, merchantId)
  if (waiting) {
    throw new KeyturnError('INVALID_STATE', 'A resumption waits for its approvals already', {
      details: { id: waiting.id },
    })
  }
  const id = newId('rsm')
  const now = Date.now()
  const intent: SettlementResumeIntent = {
    version: 1,
    kind: 'settlement_resume',
    merchant: merchantId,
    resumption: id,
    pause: pause.id,
    pause_reason: pause.reason,
    since: pause.since.toISOString(),
    reason,
    cool_down_seconds: 0,
    initiator: request.initiator,
    created_at: new Date(now).toISOString(),
    expires_at: new Date(now + request.expiryMs).toISOString(),
  }
  await insertControlChange(tx, { id, intent, actor: request.actor, coolDownMs: 0 })
  return intent
}

/** Finds the request of a merchant that waits for its approvals. */
export async function findWaitingResumption(
  sql: Queryable,
  merchantId: string,
): Promise<SettlementResumeRow | null> {
  const [row] = await sql<SettlementResumeRow[]>`
    SELECT * FROM control_changes
    WHERE merchant_id = ${merchantId} AND kind = 'settlement_resume' AND state = 'pending_approval'`
  return row ?? null
}

/** Finds the same request, and locks it. */
export async function lockWaitingResumption(
  tx: Transaction,
  merchantId: string,
): Promise<SettlementResumeRow | null> {
  const [row] = await tx<SettlementResumeRow[]>`
    SELECT * FROM control_changes
    WHERE merchant_id = ${merchantId} AND kind = 'settlement_resume' AND state = 'pending_approval' FOR UPDATE`
  return row ?? null
}

/** Ends the pause, in the transaction of the last decision. Returns `false` if it does not stand any more. */
export async function resumeSettlement(
  tx: Transaction,
  { id, intent }: SettlementResumeRow,
  actor: string,
): Promise<boolean> {
  return endPause(tx, intent.pause, { actor, data: { request: id, reason: intent.reason } })
}

/** Ends a pause. Returns `false` if it does not stand. */
export async function endPause(
  tx: Transaction,
  pauseId: string,
  { actor, data }: { readonly actor: string; readonly data: Readonly<Record<string, unknown>> },
): Promise<boolean> {
  const [row] = await tx<PauseRow[]>`
    UPDATE settlement_pauses SET resumed_at = clock_timestamp() WHERE id = ${pauseId} AND resumed_at IS NULL RETURNING *`
  if (!row) return false
  await appendAudit(tx, {
    merchantId: row.placed_by === 'merchant' ? (row.merchant_id ?? OPERATOR) : OPERATOR,
    actor,
    action: 'settlement.resumed',
    subject: pauseId,
    data: { ...data },
  })
  return true
}
