/** Finds the outcome of a delivery that needs no attempt: it has ended, its time is over, or it waits for a circuit. */

import type { Sql } from '../../db/connect.js'
import { exhaustDelivery, exhaustWaiting } from '../../db/events/webhooks/exhaust-delivery.js'
import type { LoadedAttempt } from '../../db/events/webhooks/load-attempt.js'
import { LOST } from '../../db/events/webhooks/record-attempt.js'
import { cancelDelivery, holdDelivery } from '../../db/events/webhooks/set-delivery-status.js'
import { waitForCircuit } from '../../db/events/webhooks/wait-for-circuit.js'
import { assertNever } from '../../domain/assert-never.js'
import type { AttemptInput, AttemptOutcome, WebhookDeliveryDependencies } from './attempt.js'

/** Error of a delivery whose window ended while it waited for the circuit. */
const WAITED = 'Not sent: the circuit of the endpoint was open until the window was over'

/**
 * Returns the outcome that the row already has, because its endpoint or another run decided it. `null`
 * otherwise.
 *
 * @param asked - Whether the attempt was requested. If a timer fires before the turn of a released delivery, its
 * run ends, and the sealer starts another one when the turn has come.
 */
export async function settleWithoutAttempt(
  sql: Sql,
  deliveryId: string,
  delivery: LoadedAttempt,
  asked = true,
): Promise<AttemptOutcome | null> {
  switch (delivery.status) {
    case 'delivered':
      return { kind: 'delivered', statusCode: null }
    case 'exhausted':
      return { kind: 'exhausted', error: null }
    case 'cancelled':
      return { kind: 'cancelled' }
    case 'held':
      return { kind: 'held' }
    case 'pending':
      if (delivery.endpoint_status === 'active') {
        return delivery.awaits_turn && !asked ? { kind: 'held' } : null
      }
      if (delivery.endpoint_status === 'deleted') {
        await cancelDelivery(sql, deliveryId)
        return { kind: 'cancelled' }
      }
      await holdDelivery(sql, deliveryId)
      return { kind: 'held' }
    default:
      return assertNever(delivery.status)
  }
}

/**
 * Returns how much of its window a delivery has used. The window stands still while the delivery is held, of
 * which a workflow that slept meanwhile knows nothing.
 *
 * @param elapsedMs - Time since the start of the workflow's window, to the planned time of the attempt.
 */
export function passedMs(
  elapsedMs: number,
  { window_used_ms: usedMs, window_age_ms: ageMs }: LoadedAttempt,
): number {
  return usedMs === 0 ? elapsedMs : usedMs + Math.min(elapsedMs, ageMs ?? 0)
}

/**
 * Ends a delivery whose window is over and whose attempts ended without a result. Another attempt would end
 * in the same way, and only an exhausted delivery raises an alert. The newest of those attempts is stored as
 * the last one.
 */
export async function giveUp(
  { sql, retryWindowMs }: WebhookDeliveryDependencies,
  { deliveryId, elapsedMs, lost, asked = false }: AttemptInput,
  delivery: LoadedAttempt,
): Promise<AttemptOutcome | null> {
  const newest = lost.at(-1)
  if (asked || newest === undefined || passedMs(elapsedMs, delivery) <= retryWindowMs) return null
  const recorded = await exhaustDelivery(sql, delivery, {
    deliveryId,
    at: new Date(newest),
    statusCode: null,
    durationMs: 0,
    error: LOST,
    failureClass: null,
    answer: null,
    nextAttemptAt: null,
    restarts: delivery.restarts,
    lost: lost.slice(0, -1),
  })
  return recorded ? { kind: 'exhausted', error: LOST } : { kind: 'unknown' }
}

/**
 * Lets the delivery wait while the circuit of its endpoint is not closed, or ends it if its window is over.
 * Returns `null` for an attempt that may go out: the circuit is closed, or a person requested the attempt, or
 * the endpoint works again and the delivery's turn is over or did not come within its window.
 */
export async function waitForItsCircuit(
  { sql, retryWindowMs }: WebhookDeliveryDependencies,
  { deliveryId, elapsedMs, lost }: Pick<AttemptInput, 'deliveryId' | 'elapsedMs' | 'lost'>,
  delivery: LoadedAttempt,
): Promise<AttemptOutcome | null> {
  if (delivery.circuit === 'closed' || delivery.requested) return null
  const leftMs = retryWindowMs - passedMs(elapsedMs, delivery)
  if (leftMs > 0) {
    const wait = await waitForCircuit(sql, deliveryId, lost)
    if (!wait) return null
    return {
      kind: 'waiting',
      since: wait.since.toISOString(),
      circuitSince: wait.circuitSince.toISOString(),
      // The workflow counts from its own start.
      windowMs: elapsedMs + leftMs,
    }
  }
  if (delivery.circuit === 'half_open') return null
  // One that became pending again meanwhile gets another run.
  await exhaustWaiting(sql, delivery, deliveryId, WAITED)
  return { kind: 'exhausted', error: WAITED }
}
