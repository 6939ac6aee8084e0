/** Runs the sealer, which seals committed events and audit entries and starts the deliveries of the events. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { WorkflowClient } from '@temporalio/client'
import type { Logger } from 'pino'
import { sealAudit } from '../db/audit/seal-audit.js'
import type { Sql } from '../db/connect.js'
import { sealEvents } from '../db/events/log/seal-events.js'
import { SEAL_BATCH } from '../db/events/log/seal-in-turn.js'
import { startDeliveries } from './start-deliveries.js'

/**
 * Interval of polling, which bounds the delay after a lost notification. The audit log is only polled: no
 * process waits for a sealed entry, and one batch takes what many commits wrote.
 */
const POLL_MS = 1_000
/** Pause before endpoints are asked again that have many deliveries begun. */
const FULL_PAUSE_MS = 100

export interface SealerOptions {
  readonly sql: Sql
  /**
   * Returns the client. `null` while Temporal is out of reach: sealing goes on, and deliveries start later.
   */
  readonly workflowClient: () => WorkflowClient | null
  /**
   * Returns the client that starts few deliveries, on the connection of a worker of the queue `webhooks` in this
   * process. Default: no such worker runs.
   */
  readonly eagerClient?: () => WorkflowClient | undefined
  readonly log: Logger
}

/**
 * Starts a sealer that runs until `stop` is called. Any number of processes may run one, because batches are
 * sealed under a lock. Events, audit entries, deliveries and waiting deliveries each have a loop, so that a failure or wait in
 * one does not delay the others.
 *
 * @returns `stop`, which waits for the batches under way.
 */
export async function startSealer({
  sql,
  workflowClient,
  eagerClient = () => undefined,
  log,
}: SealerOptions): Promise<{ stop(): Promise<void> }> {
  const deliveries = startLoop('the start of deliveries', log, async () => {
    const client = workflowClient()
    if (client === null) return false
    const started = await startDeliveries(sql, { client, eager: eagerClient() }, log, 'sendable')
    // Results come without a notification.
    if (started === 'full') await sleep(FULL_PAUSE_MS)
    return started !== 'none'
  })
  // One small batch at each poll, however many there are: they are not sent before their circuit drains.
  const waiting = startLoop('the start of waiting deliveries', log, async () => {
    const client = workflowClient()
    if (client !== null) await startDeliveries(sql, { client }, log, 'waiting')
    return false
  })
  const events = startLoop('sealing events', log, async () => {
    const sealed = await sealEvents(sql)
    if (sealed > 0) deliveries.wake()
    return sealed >= SEAL_BATCH
  })
  const audit = startLoop('sealing the audit log', log, async () => (await sealAudit(sql)) >= SEAL_BATCH)
  const loops = [events, audit, deliveries]
  const listening = await sql.listen('sealer', (what) => {
    events.wake()
    // Events are sealed before their deliveries start. Any other notification is about deliveries.
    if (what !== 'events') deliveries.wake()
  })
  return {
    async stop() {
      await Promise.all([...loops, waiting].map((loop) => loop.stop()))
      await listening.unlisten().catch(() => {})
    },
  }
}

interface Loop {
  /** Makes the loop check now, or once more if it is checking. */
  wake(): void
  stop(): Promise<void>
}

/** Starts a loop. @param once - Does one batch and returns whether more may be left. */
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
          `${what} failed; retrying`,
        )
        // A batch that failed is retried only after a pause, however often the loop is woken.
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
