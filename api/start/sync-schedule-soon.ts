/** Applies a withdrawal schedule in Temporal in the background, so that the answer does not wait for Temporal. */

import { syncSchedule } from '../../db/payouts/schedules/sync-schedules.js'
import { type AppliedSchedule, applySchedule } from '../../temporal/apply-schedule.js'
import type { ApiDependencies } from '../context.js'

const TIMEOUT_MS = 4_000

/** Applies the schedule. If that fails, the sweeper applies it later. */
export function syncScheduleSoon({ sql, temporal, log }: ApiDependencies, id: string): void {
  const client = temporal?.schedule
  if (!client) return
  // The row is locked during the call, so a server that does not answer must not hold it.
  const apply = (schedule: AppliedSchedule) =>
    client.connection.withDeadline(Date.now() + TIMEOUT_MS, () => applySchedule(client, schedule))
  void syncSchedule(sql, id, apply).catch((error: unknown) => {
    log.warn({ err: error }, `schedule ${id} was not applied in Temporal; the sweeper will do it`)
  })
}
