/**
 * Serves the circuit of an endpoint: it probes one that is open, sends what waits once the endpoint works again,
 * and wakes the workflows of the deliveries. Rows in Postgres hold all progress, so each activity may run again.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Context } from '@temporalio/activity'
import { inTransaction, type Sql } from '../../db/connect.js'
import { appendFailingEvent } from '../../db/events/webhooks/append-failing-event.js'
import {
  type CircuitWaiter,
  circuitWaiters,
  markWoken,
  restartWaiter,
} from '../../db/events/webhooks/circuit-waiters.js'
import {
  type CircuitRow,
  findCircuit,
  pendingInOrder,
  type SendableDelivery,
} from '../../db/events/webhooks/find-circuit.js'
import { loadAttempt } from '../../db/events/webhooks/load-attempt.js'
import { closeCircuit, planProbe, skipDelivery, touchCircuit } from '../../db/events/webhooks/move-circuit.js'
import { endTurns } from '../../db/events/webhooks/release-deliveries.js'
import { raiseAlert } from '../../db/operations/alerts/raise-alert.js'
import { assertNever } from '../../domain/assert-never.js'
import { probeTurn } from '../../domain/events/circuit.js'
import type { Logger } from '../../telemetry/logger.js'
import { webhookDeliveryId } from '../../temporal/ids.js'
import type { WorkflowGate } from '../../temporal/workflow-gate.js'
import type { AttemptOutcome, WebhookDeliveryDependencies } from './attempt.js'
import { sendAndRecord } from './attempt-delivery.js'
import { settleWithoutAttempt } from './settle-without-attempt.js'
import { waitForSlot } from './wait-for-slot.js'

export interface WebhookCircuitDependencies extends WebhookDeliveryDependencies {
  readonly signal: WorkflowGate['signal']
  readonly log: Pick<Logger, 'warn'>
  /** Pause after each wake-up. Default: 50 ms. */
  readonly wakePauseMs?: number
}

/** State of a circuit after its activities have looked at it. Times are ISO 8601. */
export type CircuitStep =
  /** Nothing is to be sent. Workflows of deliveries may still have to be woken. */
  | { readonly kind: 'closed' }
  /** The next probe is due in `retryInMs`. */
  | {
      readonly kind: 'open'
      readonly since: string
      readonly retryInMs: number
      readonly error: string | null
    }
  /** The endpoint works, and deliveries are left to send. `backlog`: some waited since before it worked. */
  | { readonly kind: 'half_open'; readonly since: string; readonly backlog: boolean }

/** Signal to a delivery's workflow that its wait is over. */
export interface CircuitMoved {
  /** Start of the wait, as in the outcome `waiting`. */
  readonly since: string
  /** Outcome of the attempt that the circuit made. `null` if it made none, so that the row decides. */
  readonly outcome: AttemptOutcome | null
}

export interface WebhookCircuitActivities {
  /** Reads the circuit. Sends a probe if the circuit is open and a probe is due. */
  probeEndpoint(endpointId: string): Promise<CircuitStep>
  /**
   * Sends what waits, one after another, in the order of the events.
   *
   * @param hurry - Close the circuit although deliveries are left, because new ones come faster than one at a
   * time can be sent.
   */
  drainEndpoint(endpointId: string, hurry: boolean): Promise<CircuitStep>
  /** Wakes workflows of deliveries that have nothing more to wait for. @returns Whether some may be left. */
  wakeDeliveries(endpointId: string): Promise<boolean>
}

/** Deliveries that a drain reads at once. */
const BATCH = 100
/** Time after which an activity returns, so that the history shows progress. */
const CHUNK_MS = 20_000
/** Pause after each wake-up, which keeps the workers free for deliveries that are new. */
const WAKE_PAUSE_MS = 50
/** Errors of ours one after another, after which the activity fails and is retried later. */
const MOST_ERRORS = 3
/** Tries to enter the endpoint's gate, while earlier attempts hang. */
const GATE_TRIES = 3
const GATE_PAUSE_MS = 1_000

/** Creates the activities of the workflow `webhookCircuit`. */
export function createWebhookCircuitActivities(
  dependencies: WebhookCircuitDependencies,
): WebhookCircuitActivities {
  const { sql, log, retryIntervalMs } = dependencies

  /** Returns the state of the circuit. Closes one whose endpoint was disabled or deleted. */
  const read = async (endpointId: string): Promise<{ circuit: CircuitRow; step: CircuitStep } | null> => {
    const circuit = await findCircuit(sql, endpointId)
    if (!circuit) return null
    if (circuit.endpoint_status !== 'active') {
      await closeCircuit(sql, endpointId, null)
      return { circuit, step: { kind: 'closed' } }
    }
    return { circuit, step: toStep(circuit, null) }
  }

  return {
    async probeEndpoint(endpointId) {
      const found = await read(endpointId)
      if (!found) return { kind: 'closed' }
      const { circuit, step } = found
      if (step.kind !== 'open') return step
      await reportOpen(sql, endpointId, circuit)
      if (step.retryInMs > 0) return step
      const [next] = [
        ...(await pendingInOrder(sql, endpointId, 0n, 1, probeTurn(circuit.probes))),
        ...(await pendingInOrder(sql, endpointId, 0n, 1)),
      ]
      if (!next) {
        // A delivery that comes later makes its attempt itself.
        if (await closeCircuit(sql, endpointId, 0n)) return { kind: 'closed' }
        return { ...step, retryInMs: 1 }
      }
      let error: string | null = null
      let answered = false
      try {
        const outcome = await send(dependencies, next)
        if (outcome?.kind === 'failed') error = outcome.error
        answered = error?.startsWith('HTTP') ?? false
      } catch (fault) {
        if (Context.current().cancellationSignal.aborted) throw fault
        log.warn({ err: fault, delivery: next.id }, 'a probe could not be sent; others take turns')
        answered = true
      }
      await planProbe(sql, endpointId, answered, retryIntervalMs)
      const after = await findCircuit(sql, endpointId)
      return after ? toStep(after, error) : { kind: 'closed' }
    },

    async drainEndpoint(endpointId, hurry) {
      const until = Date.now() + CHUNK_MS
      let cursor = 0n
      let errors = 0
      for (;;) {
        const found = await read(endpointId)
        if (found?.step.kind !== 'half_open') return found?.step ?? { kind: 'closed' }
        const { circuit, step } = found
        if (hurry) {
          await closeCircuit(sql, endpointId, null)
          return { kind: 'closed' }
        }
        if (circuit.drained_to > cursor) cursor = circuit.drained_to
        const batch = await pendingInOrder(sql, endpointId, cursor, BATCH)
        if (batch.length === 0 && (await closeCircuit(sql, endpointId, cursor))) return { kind: 'closed' }
        await touchCircuit(sql, endpointId)
        for (const delivery of batch) {
          if (Date.now() > until) return step
          Context.current().cancellationSignal.throwIfAborted()
          try {
            const outcome = await send(dependencies, delivery)
            cursor = delivery.sequence
            errors = 0
            // A failure may have opened the circuit, or another delivery is the first now.
            if (outcome?.kind !== 'delivered') break
          } catch (error) {
            errors += 1
            if (errors === MOST_ERRORS || Context.current().cancellationSignal.aborted) throw error
            log.warn({ err: error, delivery: delivery.id }, 'a delivery could not be sent; the others go on')
            await skipDelivery(sql, endpointId, delivery.sequence)
          }
        }
      }
    },

    async wakeDeliveries(endpointId) {
      const until = Date.now() + CHUNK_MS
      /** Those that could not be woken. The sweeper starts the circuit's workflow again for them. */
      const failed = new Set<string>()
      for (let errors = 0; ; ) {
        const found = await circuitWaiters(sql, endpointId, BATCH + failed.size)
        const waiters = found.filter(({ id }) => !failed.has(id))
        if (waiters.length === 0) return false
        for (const waiter of waiters) {
          if (Date.now() > until) return true
          Context.current().cancellationSignal.throwIfAborted()
          try {
            await wake(dependencies, endpointId, waiter)
            errors = 0
          } catch (error) {
            errors += 1
            if (errors === MOST_ERRORS || Context.current().cancellationSignal.aborted) throw error
            log.warn({ err: error, delivery: waiter.id }, 'a delivery could not be woken; the others go on')
            failed.add(waiter.id)
          }
          await sleep(dependencies.wakePauseMs ?? WAKE_PAUSE_MS)
        }
      }
    },
  }
}

function toStep({ state, since, due_at, backlog }: CircuitRow, error: string | null): CircuitStep {
  switch (state) {
    case 'closed':
      return { kind: 'closed' }
    case 'open':
      return {
        kind: 'open',
        since: since.toISOString(),
        retryInMs: Math.max(0, due_at.getTime() - Date.now()),
        error,
      }
    case 'half_open':
      return { kind: 'half_open', since: since.toISOString(), backlog }
    default:
      return assertNever(state)
  }
}

/**
 * Raises the alert of an open circuit and warns the merchant's other endpoints. From now on the circuit decides
 * whose turn it is.
 */
async function reportOpen(sql: Sql, endpointId: string, circuit: CircuitRow): Promise<void> {
  const { merchant_id: merchantId } = circuit
  await inTransaction(sql, async (tx) => {
    await endTurns(tx, endpointId)
    const raised = await raiseAlert(tx, {
      merchantId,
      kind: 'webhook_endpoint.circuit_open',
      severity: 'warning',
      subject: endpointId,
      facts: {
        message: 'A webhook endpoint fails. Its deliveries wait, and one is tried at each retry interval',
        endpoint_id: endpointId,
        since: circuit.since.toISOString(),
      },
      notTo: [endpointId],
    })
    if (raised) await appendFailingEvent(tx, { id: endpointId, merchantId }, 'circuit_open')
  })
}

/**
 * Makes an attempt of a delivery.
 *
 * @returns `null` if none was made: the delivery has ended, or the endpoint has too many under way or in a second.
 */
async function send(
  dependencies: WebhookCircuitDependencies,
  { id }: SendableDelivery,
): Promise<AttemptOutcome | null> {
  const { sql, gate } = dependencies
  const context = Context.current()
  const delivery = await loadAttempt(sql, id)
  if (!delivery || delivery.body === null || (await settleWithoutAttempt(sql, id, delivery))) return null
  // It was requested since it was found, so its own workflow sends it.
  if (delivery.requested) return null
  const run = { signal: context.cancellationSignal, heartbeat: () => context.heartbeat() }
  const slotMs = await waitForSlot(sql, id, delivery, run)
  if (slotMs !== null) {
    await sleep(Math.min(slotMs, GATE_PAUSE_MS), undefined, { signal: run.signal })
    return null
  }
  for (let tries = 1; tries <= GATE_TRIES; tries += 1) {
    const pass = await gate.enter(delivery.endpoint_id)
    if (pass.kind === 'go') {
      const input = { deliveryId: id, elapsedMs: 0, lost: [], byCircuit: true }
      return sendAndRecord(dependencies, input, delivery, run, pass)
    }
    await sleep(Math.min(pass.delayMs, GATE_PAUSE_MS))
  }
  return null
}

async function wake(
  { sql, signal }: WebhookCircuitDependencies,
  endpointId: string,
  waiter: CircuitWaiter,
): Promise<void> {
  const moved: CircuitMoved = { since: waiter.since.toISOString(), outcome: outcomeOf(waiter) }
  const woken = await signal(webhookDeliveryId(waiter.event_id, endpointId), 'circuitMoved', moved)
  if (!woken && waiter.status === 'pending') await restartWaiter(sql, waiter)
  else await markWoken(sql, waiter)
}

/** Returns what the circuit has done for a delivery. */
function outcomeOf({ status, status_code, error, retry_in_ms }: CircuitWaiter): AttemptOutcome | null {
  switch (status) {
    case 'delivered':
      return { kind: 'delivered', statusCode: status_code }
    case 'exhausted':
      return { kind: 'exhausted', error }
    case 'held':
      return { kind: 'held' }
    case 'cancelled':
      return { kind: 'cancelled' }
    case 'pending':
      return retry_in_ms === null
        ? null
        : { kind: 'failed', error: error ?? '', retryInMs: Math.round(retry_in_ms) }
    default:
      return assertNever(status)
  }
}
