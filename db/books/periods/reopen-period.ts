/** Opens a closed period again: one person asks for it, and two others approve it. */

import { periodAfter } from '../../../domain/books/period.js'
import type { PeriodReopenIntent } from '../../../domain/controls/intent.js'
import { KeyturnError } from '../../../domain/errors.js'
import { appendAudit } from '../../audit/append-audit.js'
import type { Queryable, Transaction } from '../../connect.js'
import type { PeriodReopenRow } from '../../controls/changes/control-change-row.js'
import { insertControlChange } from '../../controls/changes/insert-control-change.js'
import { newId } from '../../new-id.js'
import { findPendingChange } from './find-period-change.js'
import { findPeriodRow, lockPeriods } from './period-row.js'
import { setFence } from './set-fence.js'

export interface ReopenRequest {
  readonly merchantId: string
  readonly period: string
  readonly reason: string
  readonly initiator: string
  readonly actor: string
  readonly expiryMs: number
}

/**
 * Stores the request. The period stays closed until two people have approved it.
 *
 * @throws KeyturnError `INVALID_STATE` if it is not closed, a later one is not open, or it waits already.
 */
export async function requestReopen(tx: Transaction, request: ReopenRequest): Promise<PeriodReopenIntent> {
  const { merchantId, period } = request
  await lockPeriods(tx, merchantId)
  const row = await findPeriodRow(tx, merchantId, period)
  if (row?.status !== 'closed' || row.hash === null) {
    throw new KeyturnError('INVALID_STATE', `${period} is not closed`, {
      details: { period, status: row?.status ?? 'open' },
    })
  }
  if (await findPendingChange(tx, merchantId, period)) {
    throw new KeyturnError('INVALID_STATE', `The re-opening of ${period} waits for its approvals already`, {
      details: { period },
    })
  }
  if (!(await isLast(tx, merchantId, period))) {
    throw new KeyturnError(
      'INVALID_STATE',
      `Re-open the periods after ${period} first, the last one before all`,
      {
        details: { period },
      },
    )
  }
  const id = newId('pro')
  const now = Date.now()
  const intent: PeriodReopenIntent = {
    version: 1,
    kind: 'period_reopen',
    merchant: merchantId,
    reopening: id,
    period,
    hash: row.hash,
    reason: request.reason,
    cool_down_seconds: 0,
    initiator: request.initiator,
    created_at: new Date(now).toISOString(),
    expires_at: new Date(now + request.expiryMs).toISOString(),
  }
  await insertControlChange(tx, { id, intent, actor: request.actor, coolDownMs: 0 })
  await tx`
    UPDATE periods SET change_id = ${id}, updated_at = clock_timestamp()
    WHERE merchant_id = ${merchantId} AND period = ${period}`
  return intent
}

/** Opens the period, in the transaction of the last decision. Returns `false` if it cannot be opened any more. */
export async function reopenPeriod(
  tx: Transaction,
  change: PeriodReopenRow,
  actor: string,
): Promise<boolean> {
  const { merchant_id: merchantId, intent } = change
  const { period } = intent
  await lockPeriods(tx, merchantId)
  const row = await findPeriodRow(tx, merchantId, period)
  if (row?.status !== 'closed' || row.change_id !== change.id || row.hash !== intent.hash) return false
  if (!(await isLast(tx, merchantId, period))) return false
  await tx`
    UPDATE periods SET status = 'open', trial_balance = NULL, proof = NULL, hash = NULL, statement = NULL,
      outside_books = '[]', closed_at = NULL, updated_at = clock_timestamp()
    WHERE merchant_id = ${merchantId} AND period = ${period}`
  await setFence(tx, merchantId)
  await appendAudit(tx, {
    merchantId,
    actor,
    action: 'period.reopened',
    subject: period,
    data: { request: change.id, hash: intent.hash, reason: intent.reason },
  })
  return true
}

/** Whether the period after is open, so that nothing stands on this one. */
async function isLast(sql: Queryable, merchantId: string, period: string): Promise<boolean> {
  const next = await findPeriodRow(sql, merchantId, periodAfter(period))
  return next === null || next.status === 'open'
}
