/** Changes or removes a schedule; firings that have happened stay what they are. */

import { KeyturnError } from '../../domain/errors.js'
import { appendAudit } from '../audit/append-audit.js'
import type { Transaction } from '../connect.js'
import { lockSchedule, type ScheduleTemplate } from './schedule-row.js'

export interface ScheduleChange {
  readonly label?: string | undefined
  readonly endAt?: Date | null | undefined
  readonly paused?: boolean | undefined
  readonly template?: Partial<Pick<ScheduleTemplate, 'amount' | 'amount_text' | 'priority' | 'metadata'>>
  readonly deleted?: true
}

interface Asker {
  readonly merchantId: string
  readonly id: string
  readonly actor: string
}

/**
 * Applies the change in the caller's transaction; removing what is removed changes nothing.
 *
 * @throws KeyturnError `NOT_FOUND`; `INVALID_STATE` when it was removed; `VALIDATION_FAILED` (end_at before start_at).
 */
export async function changeSchedule(tx: Transaction, asker: Asker, change: ScheduleChange): Promise<void> {
  const row = await lockSchedule(tx, asker.merchantId, asker.id)
  if (row.deleted_at !== null) {
    if (change.deleted) return
    throw new KeyturnError('INVALID_STATE', 'This schedule was removed; make a new one', {
      details: { id: row.id },
    })
  }
  const endAt = change.endAt === undefined ? row.end_at : change.endAt
  if (endAt !== null && endAt <= row.start_at) {
    const reason = 'must be after start_at'
    throw new KeyturnError('VALIDATION_FAILED', `end_at ${reason}`, {
      details: { in: 'body', fields: [{ path: 'end_at', reason }] },
    })
  }
  const changed = {
    label: change.label ?? row.label,
    end_at: endAt,
    paused: change.paused ?? row.paused,
    template: { ...row.template, ...change.template },
  }
  await tx`
    UPDATE withdrawal_schedules SET
      label = ${changed.label}, end_at = ${changed.end_at}, paused = ${changed.paused},
      template = ${tx.json(changed.template as never)},
      deleted_at = CASE WHEN ${change.deleted ?? false} THEN clock_timestamp() END,
      version = version + 1, updated_at = clock_timestamp()
    WHERE id = ${row.id}`
  await appendAudit(tx, {
    merchantId: row.merchant_id,
    actor: asker.actor,
    action: change.deleted ? 'withdrawal_schedule.removed' : 'withdrawal_schedule.changed',
    subject: row.id,
    data: change.deleted
      ? {}
      : {
          from: { label: row.label, end_at: row.end_at, paused: row.paused, template: row.template },
          to: changed,
        },
  })
}
