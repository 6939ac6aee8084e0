/** Lists a merchant's schedules and their firings, newest first. */

import type { ScheduleStatus } from '../../../domain/payouts/schedule-status.js'
import type { ScheduleFiring, WithdrawalSchedule } from '../../../wire/schedule.js'
import { iso, type Queryable } from '../../connect.js'
import type { Slice } from '../../slice.js'
import type { ScheduleRow } from './schedule-row.js'

/** One row of `schedule_firings`. */
export interface FiringRow {
  readonly id: string
  readonly schedule_id: string
  readonly nominal_at: Date
  readonly outcome: 'created' | 'refused'
  readonly withdrawal_id: string | null
  readonly failure: {
    readonly code: string
    readonly message: string
    readonly details: Readonly<Record<string, unknown>>
  } | null
  readonly fired_at: Date
}

export type ScheduleViewRow = ScheduleRow & { readonly last_firing: ScheduleFiring | null }

/**
 * Lists by id, which sorts by time of creation. Removed schedules are found only by id or by their status.
 */
export async function listSchedules(
  sql: Queryable,
  merchantId: string,
  filter: { readonly id?: string | undefined; readonly status?: ScheduleStatus | undefined },
  slice: Slice,
): Promise<ScheduleViewRow[]> {
  const { status } = filter
  const ended = sql`coalesce(schedule.end_at < clock_timestamp(), false)`
  const wanted = {
    active: sql`schedule.deleted_at IS NULL AND NOT schedule.paused AND NOT ${ended}`,
    paused: sql`schedule.deleted_at IS NULL AND schedule.paused AND NOT ${ended}`,
    ended: sql`schedule.deleted_at IS NULL AND ${ended}`,
    removed: sql`schedule.deleted_at IS NOT NULL`,
  }
  return await sql<ScheduleViewRow[]>`
    SELECT schedule.*, firing.view AS last_firing
    FROM withdrawal_schedules schedule
    LEFT JOIN LATERAL (
      SELECT jsonb_build_object(
        'id', id, 'nominal_at', ${iso(sql, 'nominal_at')},
        'fired_at', ${iso(sql, 'fired_at')},
        'outcome', outcome, 'withdrawal_id', withdrawal_id, 'failure', failure) AS view
      FROM schedule_firings WHERE schedule_id = schedule.id ORDER BY id DESC LIMIT 1
    ) firing ON true
    WHERE schedule.merchant_id = ${merchantId}
      ${filter.id === undefined ? sql`` : sql`AND schedule.id = ${filter.id}`}
      ${status === undefined ? (filter.id === undefined ? sql`AND schedule.deleted_at IS NULL` : sql``) : sql`AND ${wanted[status]}`}
      ${slice.before === null ? sql`` : sql`AND schedule.id < ${slice.before}`}
    ORDER BY schedule.id DESC OFFSET ${slice.offset} LIMIT ${slice.take}`
}

/** Lists the firings of one schedule. The caller has checked that it is the merchant's. */
export async function listFirings(sql: Queryable, scheduleId: string, slice: Slice): Promise<FiringRow[]> {
  return await sql<FiringRow[]>`
    SELECT * FROM schedule_firings
    WHERE schedule_id = ${scheduleId} ${slice.before === null ? sql`` : sql`AND id < ${slice.before}`}
    ORDER BY id DESC OFFSET ${slice.offset} LIMIT ${slice.take}`
}

/** Turns a row into its view. */
export function toScheduleView(row: ScheduleViewRow, now: Date = new Date()): WithdrawalSchedule {
  const { amount_text, amount: _, country: __, ...withdrawal } = row.template
  return {
    id: row.id,
    label: row.label,
    status: statusOf(row, now),
    cron: row.cron,
    interval_seconds: row.interval_ms === null ? null : Number(row.interval_ms) / 1_000,
    time_zone: 'UTC',
    start_at: row.start_at.toISOString(),
    end_at: row.end_at?.toISOString() ?? null,
    catch_up_seconds: Number(row.catch_up_ms) / 1_000,
    withdrawal: { ...withdrawal, amount: amount_text },
    missed: Number(row.missed),
    last_firing: row.last_firing,
    initiator: row.initiator,
    co_initiators: row.co_initiators,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  }
}

/** Turns a firing into its view. */
export function toFiringView(row: FiringRow): ScheduleFiring {
  return {
    id: row.id,
    nominal_at: row.nominal_at.toISOString(),
    fired_at: row.fired_at.toISOString(),
    outcome: row.outcome,
    withdrawal_id: row.withdrawal_id,
    failure: row.failure,
  }
}

function statusOf(row: ScheduleRow, now: Date): ScheduleStatus {
  if (row.deleted_at !== null) return 'removed'
  if (row.end_at !== null && row.end_at < now) return 'ended'
  return row.paused ? 'paused' : 'active'
}
