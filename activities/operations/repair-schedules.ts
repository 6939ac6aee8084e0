/** Keeps Temporal's Schedules what the rows say: one that Temporal refuses is put off, and the others go on. */

import type { Sql } from '../../db/connect.js'
import { isPassing } from '../../db/database-errors.js'
import {
  putOffSchedule,
  recordCheck,
  syncSchedule,
  uncheckedSchedules,
  unsyncedSchedules,
} from '../../db/payouts/schedules/sync-schedules.js'
import type { Logger } from '../../telemetry/logger.js'
import { describeRefusal } from '../../temporal/temporal-outage.js'
import type { ScheduleGate } from '../../temporal/workflow-gate.js'
import { tryEach } from './try-each.js'

/** How often a withdrawal schedule is compared with Temporal's. */
const CHECK_SCHEDULES_MS = 600_000
/** Each holds a connection while it talks to Temporal. */
const CONCURRENCY = 4

/** What it works on. */
export interface ScheduleRepair {
  readonly sql: Sql
  /** Absent where a test has no Temporal. */
  readonly schedules?: ScheduleGate
  readonly graceMs: number
  readonly log: Logger
}

/**
 * Tells Temporal what it was not told, and looks whether it still has what it was.
 *
 * @returns How many it told or found lost.
 * @throws When Temporal cannot be used.
 */
export async function repairSchedules({ sql, schedules, graceMs, log }: ScheduleRepair): Promise<number> {
  if (!schedules) return 0
  let lost = 0
  const each = async (ids: readonly string[], run: (id: string) => Promise<void>): Promise<number> => {
    const { done, failed, outage } = await tryEach(ids, CONCURRENCY, run)
    for (const { item: id, error } of failed) {
      log.warn({ err: error, schedule: id }, 'A withdrawal schedule could not be applied; it is tried again')
      // The row was locked, or the database busy: that says nothing of the schedule.
      if (isPassing(error)) continue
      await putOffSchedule(sql, id, describeRefusal(error))
    }
    if (outage !== null) throw outage
    return done.length
  }
  await each(await uncheckedSchedules(sql, CHECK_SCHEDULES_MS), async (id) => {
    const missed = await schedules.readMissed(id)
    await recordCheck(sql, id, missed)
    if (missed !== null) return
    lost++
    // Told again at once.
    await syncSchedule(sql, id, schedules.applySchedule)
  })
  const told = await each(await unsyncedSchedules(sql, graceMs), (id) =>
    syncSchedule(sql, id, schedules.applySchedule),
  )
  return lost + told
}
