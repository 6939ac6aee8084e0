/** Stores an attempt that the endpoint answered with 410, which disables the endpoint. */

import { appendAudit } from '../../audit/append-audit.js'
import { inTransaction, type Sql, type Transaction } from '../../connect.js'
import { appendFailingEvent } from './append-failing-event.js'
import { changeEndpointStatus } from './change-endpoint-status.js'
import { findEndpoint } from './find-endpoint.js'
import type { LoadedAttempt } from './load-attempt.js'
import { moveDeliveries } from './move-deliveries.js'
import { type AttemptRecord, type RecordedAttempt, recordAttempt } from './record-attempt.js'
import { holdDelivery } from './set-delivery-status.js'

/** HTTP status by which a receiver says that it wants no further webhooks. */
export const GONE = 410

/**
 * Records the attempt, disables the endpoint and holds this delivery in one transaction. The others are held after it.
 * The merchant's other endpoints receive a warning first. An answer from a URL that the endpoint no longer has
 * disables nothing.
 *
 * @returns The result of `recordAttempt`, with the status that the delivery has after it.
 */
export async function recordGone(
  sql: Sql,
  delivery: LoadedAttempt,
  record: AttemptRecord,
): Promise<RecordedAttempt | null> {
  const { recorded, disabled } = await inTransaction(sql, (tx) => recordAndDisable(tx, delivery, record))
  if (disabled) await moveDeliveries(sql, delivery.endpoint_id)
  return recorded
}

async function recordAndDisable(
  tx: Transaction,
  { endpoint_id: id, merchant_id: merchantId, url }: LoadedAttempt,
  record: AttemptRecord,
): Promise<{ readonly recorded: RecordedAttempt | null; readonly disabled: boolean }> {
  // The endpoint is locked before its deliveries, as by a change of the endpoint.
  const endpoint = await findEndpoint(tx, merchantId, id, true)
  const recorded = await recordAttempt(tx, { ...record, nextAttemptAt: record.nextAttemptAt ?? record.at })
  if (!recorded?.written || endpoint?.url !== url) return { recorded, disabled: false }
  if (endpoint.status !== 'active' && endpoint.status !== 'paused') return { recorded, disabled: false }
  await holdDelivery(tx, record.deliveryId)
  await appendFailingEvent(tx, { id, merchantId }, 'gone')
  await changeEndpointStatus(tx, endpoint, 'disabled', 'gone')
  await appendAudit(tx, {
    merchantId,
    actor: 'system:webhooks',
    action: 'webhook_endpoint.disabled',
    subject: id,
    data: { reason: 'gone', delivery_id: record.deliveryId },
  })
  const status = recorded.status === 'pending' ? 'held' : recorded.status
  return { recorded: { ...recorded, status, circuit: null }, disabled: true }
}
