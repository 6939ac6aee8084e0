/** The sealer: seals events and audit entries as they are committed and starts the deliveries of the former. */

import type { WorkflowClient } from '@temporalio/client'
import type { Logger } from 'pino'
import { sealAudit } from '../db/audit/seal-audit.js'
import type { Sql } from '../db/connect.js'
import { markDeliveriesStarted } from '../db/events/mark-deliveries-started.js'
import { sealEvents } from '../db/events/seal-events.js'
import { type UnstartedDelivery, unstartedDeliveries } from '../db/events/unstarted-deliveries.js'
import { startWebhookDelivery } from '../workflows/start.js'

/** A lost notification delays by this much, no more. */
const POLL_MS = 1_000
/** Starts under way at once: the Temporal server, not the wire, is what limits them. */
const STARTS = 16

export interface SealerOptions {
  readonly sql: Sql
  /** Null while Temporal is out of reach: sealing goes on, deliveries start later. */
  readonly workflowClient: () => WorkflowClient | null
  readonly log: Logger
}

/**
 * Runs until `stop` is called. Any number of processes may run one: batches are sealed under a lock.
 *
 * @returns `stop`, which waits for the batch in hand.
 */
export async function startSealer({
  sql,
  workflowClient,
  log,
}: SealerOptions): Promise<{ stop(): Promise<void> }> {
  let stopped = false
  let wake: () => void = () => {}
  let notified = false
  const listening = await sql.listen('sealer', () => {
    notified = true
    wake()
  })
  const run = (async () => {
    while (!stopped) {
      notified = false
      try {
        const busy = await sealOnce(sql, workflowClient())
        if (busy) continue
      } catch (error) {
        log.error(
          { error: error instanceof Error ? error.message : String(error) },
          'sealing failed, trying again',
        )
      }
      if (notified || stopped) continue
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, POLL_MS)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  })()
  return {
    async stop() {
      stopped = true
      wake()
      await run
      await listening.unlisten().catch(() => {})
    },
  }
}

/**
 * Seals one batch of each kind, then starts the deliveries that wait: last, because Temporal may be out of reach.
 *
 * @returns Whether more is left.
 */
export async function sealOnce(sql: Sql, client: WorkflowClient | null): Promise<boolean> {
  const events = await sealEvents(sql)
  const audit = await sealAudit(sql)
  const started = client ? await startDeliveries(sql, client) : false
  return events > 0 || started || audit > 0
}

async function startDeliveries(sql: Sql, client: WorkflowClient): Promise<boolean> {
  const deliveries = await unstartedDeliveries(sql)
  const started: UnstartedDelivery[] = []
  let next = 0
  let failure: unknown
  await Promise.all(
    Array.from({ length: Math.min(STARTS, deliveries.length) }, async () => {
      for (let delivery = deliveries[next++]; delivery && !failure; delivery = deliveries[next++]) {
        try {
          await startWebhookDelivery(client, delivery)
          started.push(delivery)
        } catch (error) {
          failure = error
        }
      }
    }),
  )
  await markDeliveriesStarted(sql, started)
  if (failure) throw failure
  return deliveries.length > 0
}
