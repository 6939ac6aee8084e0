/** The sealer: seals events and audit entries as they are committed and starts the deliveries of the former. */

import type { WorkflowClient } from '@temporalio/client'
import type { Logger } from 'pino'
import { sealAudit } from '../db/audit/seal-audit.js'
import type { Sql } from '../db/connect.js'
import { sealEvents } from '../db/events/log/seal-events.js'
import { startDeliveries } from './start-deliveries.js'

/** A lost notification delays by this much, no more. */
const POLL_MS = 1_000

export interface SealerOptions {
  readonly sql: Sql
  /** Null while Temporal is out of reach: sealing goes on, deliveries start later. */
  readonly workflowClient: () => WorkflowClient | null
  readonly log: Logger
}

/**
 * Runs until `stop` is called. Any number of processes may run one: batches are sealed under a lock. Events, audit entries
 * and deliveries have a loop each: what one of them cannot do, or waits for, holds up neither of the others.
 *
 * @returns `stop`, which waits for the batches in hand.
 */
export async function startSealer({
  sql,
  workflowClient,
  log,
}: SealerOptions): Promise<{ stop(): Promise<void> }> {
  const deliveries = startLoop('the start of deliveries', log, async () => {
    const client = workflowClient()
    return client !== null && (await startDeliveries(sql, client, log))
  })
  const events = startLoop('sealing events', log, async () => {
    const sealed = await sealEvents(sql)
    if (sealed > 0) deliveries.wake()
    return sealed > 0
  })
  const audit = startLoop('sealing the audit log', log, async () => (await sealAudit(sql)) > 0)
  const loops = [events, audit, deliveries]
  const listening = await sql.listen('sealer', () => {
    for (const loop of loops) loop.wake()
  })
  return {
    async stop() {
      await Promise.all(loops.map((loop) => loop.stop()))
      await listening.unlisten().catch(() => {})
    },
  }
}

interface Loop {
  /** Has it look now, or again when it is looking. */
  wake(): void
  stop(): Promise<void>
}

/** @param once - Does one batch. @returns Whether more may be left. */
function startLoop(what: string, log: Logger, once: () => Promise<boolean>): Loop {
  let stopped = false
  let woken = false
  let wake: () => void = () => {}
  const rest = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, POLL_MS)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  const run = (async () => {
    while (!stopped) {
      woken = false
      try {
        if (await once()) continue
      } catch (error) {
        log.error(
          { error: error instanceof Error ? error.message : String(error) },
          `${what} failed, trying again`,
        )
        // What failed is not tried without a pause, however often it is woken.
        if (!stopped) await rest()
        continue
      }
      if (!woken && !stopped) await rest()
    }
  })()
  return {
    wake() {
      woken = true
      wake()
    },
    async stop() {
      stopped = true
      wake()
      await run
    },
  }
}
