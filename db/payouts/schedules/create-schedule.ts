/** Stores a schedule. Temporal's Schedule is created from the row afterwards. */

import { appendAudit } from '../../audit/append-audit.js'
import { json, type Transaction } from '../../connect.js'
import { newId } from '../../new-id.js'
import type { ScheduleTemplate } from './schedule-row.js'

/** A checked request. */
export interface NewSchedule {
  readonly merchantId: string
  readonly label: string
  readonly cron: string | null
  readonly intervalMs: number | null
  readonly startAt: Date
  readonly endAt: Date | null
  readonly catchUpMs: number
  readonly paused: boolean
  readonly template: ScheduleTemplate
  readonly initiator: string
  readonly actor: string
}

/** Stores the schedule. @returns The new row's id. */
export async function createSchedule(tx: Transaction, schedule: NewSchedule): Promise<string> {
  const id = newId('wsc')
  await tx`
    INSERT INTO withdrawal_schedules (id, merchant_id, label, cron, interval_ms, start_at, end_at, catch_up_ms, paused,
                                      template, initiator)
    VALUES (${id}, ${schedule.merchantId}, ${schedule.label}, ${schedule.cron}, ${schedule.intervalMs},
            ${schedule.startAt}, ${schedule.endAt}, ${schedule.catchUpMs}, ${schedule.paused},
            ${json(tx, schedule.template)}, ${schedule.initiator})`
  await appendAudit(tx, {
    merchantId: schedule.merchantId,
    actor: schedule.actor,
    action: 'withdrawal_schedule.created',
    subject: id,
    data: {
      label: schedule.label,
      cron: schedule.cron,
      interval_ms: schedule.intervalMs,
      start_at: schedule.startAt.toISOString(),
      end_at: schedule.endAt?.toISOString() ?? null,
      template: schedule.template,
    },
  })
  return id
}
