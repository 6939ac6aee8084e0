/** Postpones a delivery whose workflow cannot be started, and raises an alert. */

import { inTransaction, type Sql } from '../../connect.js'
import { clearAlerts, raiseAlert } from '../../operations/alerts/raise-alert.js'
import type { UnstartedDelivery } from './unstarted-deliveries.js'

/** First wait. Each further failure doubles it, up to an hour. */
const FIRST_WAIT_SECONDS = 15
const LONGEST_WAIT_SECONDS = 3_600
const ERROR_LENGTH = 500

/**
 * Postpones the delivery and raises the alert `webhook_delivery.not_started`. The alert appends no event if
 * the delivery is of such an event itself.
 *
 * @param reason - Temporal's answer to the start.
 */
export async function putOffDelivery(sql: Sql, delivery: UnstartedDelivery, reason: string): Promise<void> {
  const shown = reason.slice(0, ERROR_LENGTH)
  await inTransaction(sql, async (tx) => {
    const [putOff] = await tx<{ type: string }[]>`
      UPDATE webhook_deliveries SET
        start_failures = start_failures + 1, start_error = ${shown},
        start_after = clock_timestamp()
          + least(${LONGEST_WAIT_SECONDS}, ${FIRST_WAIT_SECONDS} * 2 ^ least(start_failures, 20)) * interval '1 second'
      FROM events event
      WHERE webhook_deliveries.id = ${delivery.id} AND workflow_started_at IS NULL AND event.id = webhook_deliveries.event_id
      RETURNING event.type`
    if (!putOff) return
    await raiseAlert(
      tx,
      {
        merchantId: delivery.merchantId,
        kind: 'webhook_delivery.not_started',
        severity: 'critical',
        subject: delivery.id,
        facts: {
          message: 'A webhook delivery cannot be started. It is retried, and the other deliveries go on',
          event_id: delivery.eventId,
          endpoint_id: delivery.endpointId,
          reason: shown,
        },
      },
      putOff.type !== 'exception.raised',
    )
  })
}

/** Clears the alerts of deliveries that were started after all. */
export async function clearPutOffDeliveries(
  sql: Sql,
  deliveries: readonly UnstartedDelivery[],
): Promise<void> {
  for (const { merchantId, id } of deliveries.filter((each) => each.failures > 0)) {
    await clearAlerts(sql, merchantId, 'webhook_delivery.not_started', [id])
  }
}
