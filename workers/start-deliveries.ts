/** Starts the workflows of webhook deliveries; one that cannot be started is put off, and the others go on. */

import type { WorkflowClient } from '@temporalio/client'
import type { Logger } from 'pino'
import { tryEach } from '../activities/operations/try-each.js'
import type { Sql } from '../db/connect.js'
import { markDeliveriesStarted } from '../db/events/log/mark-deliveries-started.js'
import { clearPutOffDeliveries, putOffDelivery } from '../db/events/log/put-off-delivery.js'
import { unstartedDeliveries } from '../db/events/log/unstarted-deliveries.js'
import { startWebhookDelivery } from '../temporal/start.js'
import { describeRefusal } from '../temporal/temporal-outage.js'

/** Starts under way at once: the Temporal server, not the wire, is what limits them. */
const STARTS = 16
/** A server that does not answer is an outage. */
const DEADLINE_MS = 10_000

/**
 * Starts one batch.
 *
 * @returns Whether there was any.
 * @throws When Temporal cannot be used, once what was started is recorded.
 */
export async function startDeliveries(sql: Sql, client: WorkflowClient, log: Logger): Promise<boolean> {
  const deliveries = await unstartedDeliveries(sql)
  const { done, failed, outage } = await tryEach(deliveries, STARTS, (delivery) =>
    client.withDeadline(Date.now() + DEADLINE_MS, () => startWebhookDelivery(client, delivery)),
  )
  await markDeliveriesStarted(sql, done)
  await clearPutOffDeliveries(sql, done)
  for (const { item, error } of failed) {
    log.error({ err: error, delivery: item.id }, 'a webhook delivery cannot be started; it is put off')
    await putOffDelivery(sql, item, describeRefusal(error))
  }
  if (outage !== null) throw outage
  return deliveries.length > 0
}
