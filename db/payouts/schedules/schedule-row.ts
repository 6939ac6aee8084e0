/** A row of `withdrawal_schedules`, and the withdrawal that each of its firings requests. */

import { KeyturnError } from '../../../domain/errors.js'
import type { Priority } from '../../../domain/payouts/priority.js'
import type { Queryable, Transaction } from '../../connect.js'

/** As `NewWithdrawal`, in JSON: the amount in base units as decimal text. */
export interface ScheduleTemplate {
  readonly network: string
  readonly coin: string
  readonly amount: string
  /** Amount as it was sent, in whole coins. */
  readonly amount_text: string
  readonly to_address: string
  readonly from_address_id: string | null
  readonly fee_payer: 'sender' | 'recipient'
  readonly priority: Priority
  readonly user_reference: string | null
  readonly metadata: Readonly<Record<string, unknown>>
  /**
   * Country in which the schedule was created, as `NewWithdrawal.country`. Absent: no source of countries is
   * configured.
   */
  readonly country?: string | null
}

export interface ScheduleRow {
  readonly id: string
  readonly merchant_id: string
  readonly label: string
  readonly cron: string | null
  readonly interval_ms: bigint | null
  readonly start_at: Date
  readonly end_at: Date | null
  readonly catch_up_ms: bigint
  readonly paused: boolean
  readonly deleted_at: Date | null
  readonly template: ScheduleTemplate
  readonly initiator: string
  /** Others who changed what each firing requests. */
  readonly co_initiators: readonly string[]
  readonly version: number
  readonly synced_version: number
  readonly checked_at: Date | null
  readonly missed: bigint
  /** Number of times that Temporal refused its last change. */
  readonly sync_failures: number
  readonly created_at: Date
  readonly updated_at: Date
}

/** Locks a merchant's schedule. @throws KeyturnError `NOT_FOUND`. */
export async function lockSchedule(tx: Transaction, merchantId: string, id: string): Promise<ScheduleRow> {
  const [row] = await tx<ScheduleRow[]>`
    SELECT * FROM withdrawal_schedules WHERE id = ${id} AND merchant_id = ${merchantId} FOR NO KEY UPDATE`
  if (!row) throw scheduleNotFound(id)
  return row
}

/** Finds a merchant's schedule, including a removed one. @throws KeyturnError `NOT_FOUND`. */
export async function findSchedule(sql: Queryable, merchantId: string, id: string): Promise<ScheduleRow> {
  const [row] = await sql<ScheduleRow[]>`
    SELECT * FROM withdrawal_schedules WHERE id = ${id} AND merchant_id = ${merchantId}`
  if (!row) throw scheduleNotFound(id)
  return row
}

function scheduleNotFound(id: string): KeyturnError {
  return new KeyturnError('NOT_FOUND', 'There is no such withdrawal schedule; check the id', {
    details: { id },
  })
}
