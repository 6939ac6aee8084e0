/** Changes or removes a schedule. Firings that have happened stay as they are. */

import { canonicalJson } from '../../../domain/canonical-json.js'
import { KeyturnError } from '../../../domain/errors.js'
import { appendAudit } from '../../audit/append-audit.js'
import { json, type Transaction } from '../../connect.js'
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
  /** Person who requests the change, or the API key without one. */
  readonly person: string
}

/**
 * Applies the change in the caller's transaction. Removing a schedule that is removed changes nothing. A
 * person who changes what the firings request becomes an initiator of every later withdrawal of the schedule,
 * and may approve none of them.
 *
 * @throws KeyturnError `NOT_FOUND`; `INVALID_STATE` when it was removed; `VALIDATION_FAILED` (end_at before
 * start_at).
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
  const template = { ...row.template, ...change.template }
  const shapes = !sameTemplate(row.template, template) && asker.person !== row.initiator
  const changed = {
    label: change.label ?? row.label,
    end_at: endAt,
    paused: change.paused ?? row.paused,
    template,
    co_initiators: shapes
      ? [...new Set([...row.co_initiators, asker.person])].sort()
      : [...row.co_initiators],
  }
  await tx`
    UPDATE withdrawal_schedules SET
      label = ${changed.label}, end_at = ${changed.end_at}, paused = ${changed.paused},
      template = ${json(tx, changed.template)}, co_initiators = ${changed.co_initiators},
      deleted_at = CASE WHEN ${change.deleted ?? false} THEN clock_timestamp() END,
      version = version + 1, updated_at = clock_timestamp(), sync_after = NULL
    WHERE id = ${row.id}`
  await appendAudit(tx, {
    merchantId: row.merchant_id,
    actor: asker.actor,
    action: change.deleted ? 'withdrawal_schedule.removed' : 'withdrawal_schedule.changed',
    subject: row.id,
    data: change.deleted
      ? {}
      : {
          from: {
            label: row.label,
            end_at: row.end_at,
            paused: row.paused,
            template: row.template,
            co_initiators: row.co_initiators,
          },
          to: changed,
        },
  })
}

/**
 * Whether both request the same withdrawal. The spelling of the amount and the order of the keys do not
 * count.
 */
function sameTemplate(a: ScheduleTemplate, b: ScheduleTemplate): boolean {
  const withoutText = ({ amount_text: _, ...rest }: ScheduleTemplate) => canonicalJson(rest)
  return withoutText(a) === withoutText(b)
}
