/** Keeps Temporal's Schedules in step with the rows: which are out of step, and what a sync found. */

import type { AppliedSchedule } from '../../../temporal/apply-schedule.js'
import { appendAudit } from '../../audit/append-audit.js'
import { inTransaction, type Sql } from '../../connect.js'
import { appendEvent } from '../../events/log/append-event.js'
import { noticeEvent } from '../../events/log/notice-event.js'
import { clearAlerts, raiseAlert } from '../../operations/alerts/raise-alert.js'
import type { ScheduleRow } from './schedule-row.js'

/** Most that one sweep takes. The next sweep takes the next. */
const BATCH = 100
/** First pause after Temporal refused a schedule. Each further refusal doubles it, up to an hour. */
const FIRST_WAIT_SECONDS = 60
const LONGEST_WAIT_SECONDS = 3_600
const ERROR_LENGTH = 500

/** Returns the ids of schedules whose last change Temporal does not have yet, oldest first. */
export async function unsyncedSchedules(sql: Sql, olderThanMs: number): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    SELECT id FROM withdrawal_schedules
    WHERE synced_version < version AND updated_at < clock_timestamp() - ${olderThanMs} * interval '1 millisecond'
      AND (sync_after IS NULL OR sync_after < clock_timestamp())
    ORDER BY updated_at LIMIT ${BATCH}`
  return rows.map((row) => row.id)
}

/** Returns the ids of schedules, none of them removed, that were not compared with Temporal's for so long. */
export async function uncheckedSchedules(sql: Sql, olderThanMs: number): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    SELECT id FROM withdrawal_schedules
    WHERE deleted_at IS NULL AND synced_version = version
      AND (sync_after IS NULL OR sync_after < clock_timestamp())
      AND (checked_at IS NULL OR checked_at < clock_timestamp() - ${olderThanMs} * interval '1 millisecond')
      AND (end_at IS NULL OR end_at > clock_timestamp() - interval '1 day')
    ORDER BY checked_at NULLS FIRST LIMIT ${BATCH}`
  return rows.map((row) => row.id)
}

/**
 * Applies a schedule under the lock of its row, so that of two changes the later one reaches Temporal last.
 *
 * @param apply - Applies it in Temporal. When it throws, the row stays out of step.
 */
export async function syncSchedule(
  sql: Sql,
  id: string,
  apply: (schedule: AppliedSchedule) => Promise<void>,
): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const [row] = await tx<
      ScheduleRow[]
    >`SELECT * FROM withdrawal_schedules WHERE id = ${id} FOR NO KEY UPDATE`
    if (!row || row.synced_version === row.version) return
    await apply(toApplied(row))
    await tx`
      UPDATE withdrawal_schedules SET synced_version = version, sync_failures = 0, sync_after = NULL, sync_error = NULL
      WHERE id = ${id}`
    if (row.sync_failures > 0) await clearAlerts(tx, row.merchant_id, 'withdrawal_schedule.not_applied', [id])
  })
}

/**
 * Puts off a schedule that Temporal refuses, so that it does not delay the others, and raises an alert.
 *
 * @param reason - Temporal's answer.
 */
export async function putOffSchedule(sql: Sql, id: string, reason: string): Promise<void> {
  const shown = reason.slice(0, ERROR_LENGTH)
  await inTransaction(sql, async (tx) => {
    const [row] = await tx<Pick<ScheduleRow, 'merchant_id' | 'label'>[]>`
      UPDATE withdrawal_schedules SET
        sync_failures = sync_failures + 1, sync_error = ${shown},
        sync_after = clock_timestamp()
          + least(${LONGEST_WAIT_SECONDS}, ${FIRST_WAIT_SECONDS} * 2 ^ least(sync_failures, 20)) * interval '1 second'
      WHERE id = ${id} RETURNING merchant_id, label`
    if (!row) return
    await raiseAlert(tx, {
      merchantId: row.merchant_id,
      kind: 'withdrawal_schedule.not_applied',
      severity: 'critical',
      subject: id,
      facts: {
        message: 'This schedule cannot be made, so it does not fire; remove it and create another one',
        label: row.label,
        reason: shown,
      },
    })
  })
}

/**
 * Stores the result of a comparison with Temporal's Schedule. One that is gone counts as out of step, so that
 * it is created again. Firings that were left out since the last comparison append a notice.
 *
 * @param missed - Number of firings that Temporal left out since the Schedule was created. `null` when it has
 * no such Schedule.
 */
export async function recordCheck(sql: Sql, id: string, missed: number | null): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const [row] = await tx<
      ScheduleRow[]
    >`SELECT * FROM withdrawal_schedules WHERE id = ${id} FOR NO KEY UPDATE`
    if (!row) return
    if (missed === null) {
      await tx`
        UPDATE withdrawal_schedules SET synced_version = 0, checked_at = clock_timestamp(), updated_at = clock_timestamp()
        WHERE id = ${id} AND synced_version = version`
      return
    }
    // A Schedule that was created again counts from zero.
    const more = missed - Number(row.missed)
    await tx`UPDATE withdrawal_schedules SET checked_at = clock_timestamp(), missed = ${missed} WHERE id = ${id}`
    if (more <= 0) return
    const facts = { label: row.label, missed: more }
    await appendEvent(
      tx,
      noticeEvent({
        merchantId: row.merchant_id,
        kind: 'withdrawal_schedule.firings_missed',
        severity: 'medium',
        subject: id,
        facts: {
          message: 'Firings were left out: too late for the catch-up window, or one before was under way',
          ...facts,
        },
      }),
    )
    await appendAudit(tx, {
      merchantId: row.merchant_id,
      actor: 'system:sweeper',
      action: 'withdrawal_schedule.firings_missed',
      subject: id,
      data: facts,
    })
  })
}

function toApplied(row: ScheduleRow): AppliedSchedule {
  return {
    id: row.id,
    merchantId: row.merchant_id,
    title: `${row.label} (${row.template.amount_text} ${row.template.coin})`,
    network: row.template.network,
    coin: row.template.coin,
    cron: row.cron,
    intervalMs: row.interval_ms === null ? null : Number(row.interval_ms),
    startAt: row.start_at,
    endAt: row.end_at,
    catchUpMs: Number(row.catch_up_ms),
    paused: row.paused,
    removed: row.deleted_at !== null,
  }
}
