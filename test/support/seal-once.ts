/** Runs each loop of the sealer once, for tests that decide when. */

import type { WorkflowClient } from '@temporalio/client'
import { pino } from 'pino'
import { sealAudit } from '../../db/audit/seal-audit.js'
import type { Sql } from '../../db/connect.js'
import { sealEvents } from '../../db/events/log/seal-events.js'
import { startDeliveries } from '../../workers/start-deliveries.js'

/** Seals events and the audit log, and starts deliveries. @returns Whether there was anything to do. */
export async function sealOnce(sql: Sql, client: WorkflowClient | null): Promise<boolean> {
  const events = await sealEvents(sql)
  const audit = await sealAudit(sql)
  const log = pino({ level: 'silent' })
  let started = false
  for (const kind of ['sendable', 'waiting'] as const) {
    if (client === null) break
    if ((await startDeliveries(sql, { client }, log, kind)) === 'more') started = true
  }
  return events > 0 || audit > 0 || started
}
