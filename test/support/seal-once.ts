/** What the sealer's loops do, once and one after the other, for tests that say when. */

import type { WorkflowClient } from '@temporalio/client'
import { pino } from 'pino'
import { sealAudit } from '../../db/audit/seal-audit.js'
import type { Sql } from '../../db/connect.js'
import { sealEvents } from '../../db/events/log/seal-events.js'
import { startDeliveries } from '../../workers/start-deliveries.js'

/** @returns Whether there was anything to do. */
export async function sealOnce(sql: Sql, client: WorkflowClient | null): Promise<boolean> {
  const events = await sealEvents(sql)
  const audit = await sealAudit(sql)
  const started = client !== null && (await startDeliveries(sql, client, pino({ level: 'silent' })))
  return events > 0 || audit > 0 || started
}
