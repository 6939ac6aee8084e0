/** Keeps Temporal's Schedules equal to their rows. It postpones one that Temporal refuses and repairs the others. */

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

/** Interval at which a withdrawal schedule is compared with its Temporal Schedule. */
const CHECK_SCHEDULES_MS = 600_000
/** Schedules repaired at once. Each holds a database connection during its call to Temporal. */
const CONCURRENCY = 4

/** Dependencies of the repair. */
export interface ScheduleRepair {
  readonly sql: Sql
  /** Access to Temporal's Schedules. Absent in tests without Temporal. */
  readonly schedules?: ScheduleGate
  readonly graceMs: number
  readonly log: Logger
}

/**
 * Applies the schedules that Temporal has not received, and checks that it still has the others.
 *
 * @returns How many schedules were applied or had been lost.
 * @throws The outage, if Temporal is out of reach.
 */
export async function repairSchedules({ sql, schedules, graceMs, log }: ScheduleRepair): Promise<number> {
  if (!schedules) return 0
  let lost = 0
  const each = async (ids: readonly string[], run: (id: string) => Promise<void>): Promise<number> => {
    const { done, failed, outage } = await tryEach(ids, CONCURRENCY, run)
    for (const { item: id, error } of failed) {
      log.warn({ err: error, schedule: id }, 'A withdrawal schedule could not be applied; it is tried again')
      // The row was locked or the database was busy, so the schedule itself is not at fault.
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
    await syncSchedule(sql, id, schedules.applySchedule)
  })
  const applied = await each(await unsyncedSchedules(sql, graceMs), (id) =>
    syncSchedule(sql, id, schedules.applySchedule),
  )
  return lost + applied
}
