/** Ends a delivery that failed for its whole window: stores the last attempt, the exception and the audit entry. */

import { appendAudit } from '../../audit/append-audit.js'
import { raiseExceptions } from '../../books/exceptions/raise-exception.js'
import { inTransaction, type Sql, type Transaction } from '../../connect.js'
import { appendEvents } from '../log/append-events.js'
import type { LoadedAttempt } from './load-attempt.js'
import { type AttemptRecord, recordAttempt } from './record-attempt.js'

/** Finer word of the exception. */
const DELIVERY_EXHAUSTED = 'webhook.delivery_exhausted'

/**
 * Records the last attempt and, if that exhausts the delivery, raises the exception in the same transaction.
 * The exhausted delivery of an `exception.raised` event raises no further one, because a dead endpoint would
 * raise them without end. The exception goes to no endpoint that fails with the same event, because n dead
 * endpoints would cost n² deliveries.
 *
 * @returns The result of `recordAttempt`.
 */
export async function exhaustDelivery(sql: Sql, delivery: LoadedAttempt, record: AttemptRecord) {
  return inTransaction(sql, async (tx) => {
    await lockEndpoints(tx, delivery.merchant_id)
    const recorded = await recordAttempt(tx, { ...record, nextAttemptAt: null })
    if (!recorded?.written || recorded.status !== 'exhausted') return recorded
    await report(tx, delivery, record.deliveryId, record.error)
    return recorded
  })
}

/**
 * Ends a delivery whose window ended while it waited for the circuit of its endpoint, without an attempt.
 *
 * @returns Whether it ended now. `false` if it is no longer pending, or became pending again.
 */
export async function exhaustWaiting(
  sql: Sql,
  delivery: LoadedAttempt,
  deliveryId: string,
  error: string,
): Promise<boolean> {
  return inTransaction(sql, async (tx) => {
    await lockEndpoints(tx, delivery.merchant_id)
    const ended = await tx`
      UPDATE webhook_deliveries SET status = 'exhausted', next_attempt_at = NULL, circuit_wait_since = NULL
      WHERE id = ${deliveryId} AND status = 'pending' AND restarts = ${delivery.restarts}`
    if (ended.count === 0) return false
    await report(tx, delivery, deliveryId, error)
    return true
  })
}

/**
 * Locks the endpoints to which the exception may go, as its deliveries do, but before the delivery and the circuit. A
 * change of an endpoint locks in the same order, so that neither waits for the other.
 */
async function lockEndpoints(tx: Transaction, merchantId: string): Promise<void> {
  await tx`SELECT 1 FROM webhook_endpoints WHERE merchant_id = ${merchantId} ORDER BY id FOR KEY SHARE`
}

/** Raises the exception of an exhausted delivery and stores its audit entry. */
async function report(
  tx: Transaction,
  delivery: LoadedAttempt,
  deliveryId: string,
  error: string | null,
): Promise<void> {
  const facts = {
    delivery_id: deliveryId,
    event_id: delivery.event_id,
    event: delivery.event_type,
    endpoint_id: delivery.endpoint_id,
    error,
  }
  if (delivery.event_type !== 'exception.raised') {
    const raised = await raiseExceptions(tx, [
      {
        merchantId: delivery.merchant_id,
        kind: 'webhook_exhausted',
        detail: DELIVERY_EXHAUSTED,
        cause: `webhook_exhausted:${deliveryId}`,
        subject: { type: 'webhook_delivery', id: deliveryId },
        reason: 'A webhook was not accepted in its whole window. Correct the endpoint and redeliver it',
        expected: 'delivered',
        actual: 'exhausted',
        paymentId: await paymentOf(tx, deliveryId),
        evidence: facts,
      },
    ])
    if (raised.length > 0) {
      const notTo = await deafEndpoints(tx, delivery.event_id)
      await appendEvents(
        tx,
        raised.map((event) => ({ ...event, notTo })),
      )
    }
  }
  await appendAudit(tx, {
    merchantId: delivery.merchant_id,
    actor: 'system:webhooks',
    action: 'webhook_delivery.exhausted',
    subject: deliveryId,
    data: facts,
  })
}

/** Returns the payment that the event of a delivery names. */
async function paymentOf(tx: Transaction, deliveryId: string): Promise<string | null> {
  const [row] = await tx<{ payment_id: string | null }[]>`
    SELECT payment_id FROM webhook_deliveries WHERE id = ${deliveryId}`
  return row?.payment_id ?? null
}

/** Returns the endpoints that have failed with this event so far. Their windows end at the same time as this one. */
async function deafEndpoints(tx: Transaction, eventId: string): Promise<string[]> {
  const rows = await tx<{ endpoint_id: string }[]>`
    SELECT endpoint_id FROM webhook_deliveries
    WHERE event_id = ${eventId}
      AND (status = 'exhausted' OR status = 'pending' AND (attempts > 0 OR circuit_wait_since IS NOT NULL))`
  return rows.map((row) => row.endpoint_id)
}
