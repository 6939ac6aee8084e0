/** Starts the workflows of webhook deliveries. It postpones one that cannot be started and starts the others. */

import type { WorkflowClient } from '@temporalio/client'
import type { Logger } from 'pino'
import { tryEach } from '../activities/operations/try-each.js'
import type { Sql } from '../db/connect.js'
import { markDeliveriesStarted } from '../db/events/log/mark-deliveries-started.js'
import { clearPutOffDeliveries, putOffDelivery } from '../db/events/log/put-off-delivery.js'
import type { UnstartedKind } from '../db/events/log/startable-deliveries.js'
import {
  anyFullEndpoint,
  countBegunAtCircuits,
  unstartedDeliveries,
} from '../db/events/log/unstarted-deliveries.js'
import { startWebhookDelivery } from '../temporal/start.js'
import { describeRefusal } from '../temporal/temporal-outage.js'

/** Deliveries of one batch. */
const BATCH = 100
/**
 * Deliveries of one batch whose first tasks this process gets with the answers to the starts. So many are started
 * at once. More would keep the server and the worker from finishing those that have begun.
 */
const EAGER_BATCH = 16
/** Deliveries that will only wait, and whose workflow has begun: the workers take these in passing. */
const MOST_WAITING_BEGUN = 25
/** Starts under way at once. The Temporal server limits them, not the network. */
const STARTS = 16
/** Deadline of a start. A server that does not answer in time counts as an outage. */
const DEADLINE_MS = 10_000

/** Starts the workflows of deliveries. */
export interface Starter {
  readonly client: WorkflowClient
  /** Client on the connection of a worker of the queue `webhooks` in this process. Absent if none runs. */
  readonly eager?: WorkflowClient | undefined
}

/**
 * Starts one batch of deliveries of a kind.
 *
 * @returns Whether more may be left to start. `full`: they are left out until those that have begun have a result.
 * @throws The outage of Temporal, after the deliveries that did start are recorded.
 */
export async function startDeliveries(
  sql: Sql,
  { client, eager }: Starter,
  log: Logger,
  kind: UnstartedKind,
): Promise<'more' | 'full' | 'none'> {
  const batch = eager ? EAGER_BATCH : BATCH
  const most = kind === 'waiting' ? MOST_WAITING_BEGUN - (await countBegunAtCircuits(sql)) : batch
  if (most <= 0) return 'full'
  const deliveries = await unstartedDeliveries(sql, kind, most)
  const starter = eager ?? client
  const { done, failed, outage } = await tryEach(deliveries, STARTS, (delivery) =>
    starter.withDeadline(Date.now() + DEADLINE_MS, () =>
      startWebhookDelivery(
        starter,
        delivery.resumed ? delivery : { ...delivery, firstAttempt: 'local' },
        starter === eager,
      ),
    ),
  )
  await markDeliveriesStarted(sql, done)
  await clearPutOffDeliveries(sql, done)
  for (const { item, error } of failed) {
    log.error({ err: error, delivery: item.id }, 'a webhook delivery cannot be started; it is postponed')
    await putOffDelivery(sql, item, describeRefusal(error))
  }
  if (outage !== null) throw outage
  if (deliveries.length >= most) return 'more'
  return deliveries.length === 0 && (await anyFullEndpoint(sql)) ? 'full' : 'none'
}
