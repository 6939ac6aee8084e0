/**
 * Makes one attempt of a delivery: reads all in one query, POSTs the frozen bytes, stores the result in one
 * statement.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { exhaustDelivery } from '../../db/events/webhooks/exhaust-delivery.js'
import { type LoadedAttempt, loadAttempt } from '../../db/events/webhooks/load-attempt.js'
import { openEndpointSecrets } from '../../db/events/webhooks/open-endpoint-secrets.js'
import { type AttemptRecord, recordAttempt } from '../../db/events/webhooks/record-attempt.js'
import { GONE, recordGone } from '../../db/events/webhooks/record-gone.js'
import { assertNever } from '../../domain/assert-never.js'
import { circuitTimes } from '../../domain/events/circuit.js'
import type { DeliveryStatus } from '../../domain/events/delivery-status.js'
import { redactAnswer } from '../../domain/events/redact-answer.js'
import { webhookHeaders } from '../../domain/events/webhook-headers.js'
import type { Entry } from '../../egress/endpoint-gate.js'
import type { AttemptInput, AttemptOutcome, AttemptRun, WebhookDeliveryDependencies } from './attempt.js'
import { giveUp, passedMs, settleWithoutAttempt, waitForItsCircuit } from './settle-without-attempt.js'
import { waitForSlot } from './wait-for-slot.js'

/**
 * Delay while the event is not sealed. Sealing takes milliseconds, and only a redelivery can come before it.
 */
const UNSEALED_DELAY_MS = 1_000
/** Interval of heartbeats. Most attempts end before the first one. */
export const HEARTBEAT_MS = 3_000
/** Tries to store the result, so that an outage of the database does not cause a duplicate delivery. */
const RECORD_TRIES = 8
const RECORD_PAUSE_MS = 250

/**
 * Makes an attempt, unless the delivery has ended, or its endpoint has too many attempts under way.
 *
 * @throws The reason of the abort, or the error of a database that stays away. The attempt then has no result.
 */
export async function attemptDelivery(
  dependencies: WebhookDeliveryDependencies,
  input: AttemptInput,
  run: AttemptRun,
): Promise<AttemptOutcome> {
  const { sql, gate } = dependencies
  const delivery = await loadAttempt(sql, input.deliveryId)
  if (!delivery) return { kind: 'unknown' }
  const settled = await settleWithoutAttempt(sql, input.deliveryId, delivery, input.asked)
  if (settled) return settled
  const given = await giveUp(dependencies, input, delivery)
  if (given) return given
  const waits = await waitForItsCircuit(dependencies, input, delivery)
  if (waits) return waits
  if (delivery.body === null) return { kind: 'postponed', delayMs: UNSEALED_DELAY_MS }
  const slotMs = await waitForSlot(sql, input.deliveryId, delivery, run)
  if (slotMs !== null) return { kind: 'postponed', delayMs: slotMs, why: 'rate' }
  const pass = await gate.enter(delivery.endpoint_id)
  if (pass.kind === 'later') return { kind: 'postponed', delayMs: pass.delayMs }
  return sendAndRecord(dependencies, input, delivery, run, pass)
}

/** POSTs a delivery and stores the result. It leaves the gate by `pass` in any case. */
export async function sendAndRecord(
  dependencies: WebhookDeliveryDependencies,
  input: AttemptInput,
  delivery: LoadedAttempt,
  run: AttemptRun,
  pass: Pick<Entry, 'leave'>,
): Promise<AttemptOutcome> {
  let timedOut = false
  let failed = true
  try {
    const record = await attempt(dependencies, input, delivery, run)
    timedOut = record.timedOut
    failed = record.error !== null
    const status = await record.write()
    return toOutcome(status, record, dependencies.retryIntervalMs)
  } finally {
    pass.leave(timedOut, failed)
  }
}

interface Attempted {
  readonly statusCode: number | null
  readonly error: string | null
  readonly timedOut: boolean
  /** Whether no further attempt follows if this one failed. */
  readonly last: boolean
  /** Stores the result and returns the delivery's status. */
  write(): Promise<DeliveryStatus | null>
}

async function attempt(
  dependencies: WebhookDeliveryDependencies,
  input: AttemptInput,
  delivery: LoadedAttempt,
  run: AttemptRun,
): Promise<Attempted> {
  const { sql, masterKeys, sender, retryIntervalMs, retryWindowMs, timeoutMs } = dependencies
  const { body } = delivery
  if (body === null) throw new Error(`The event ${delivery.event_id} is not sealed`)
  const at = new Date()
  const timestamp = Math.floor(at.getTime() / 1_000)
  const heartbeat = setInterval(() => run.heartbeat(), HEARTBEAT_MS)
  try {
    const signed = signAttempt(masterKeys, delivery, body, timestamp)
    const result =
      'refused' in signed
        ? {
            statusCode: null,
            durationMs: 0,
            error: signed.refused,
            failureClass: null,
            response: null,
            timedOut: false,
          }
        : await sender.send({
            url: delivery.url,
            body,
            headers: signed.headers,
            signal: run.signal,
          })
    const last = passedMs(input.elapsedMs, delivery) + retryIntervalMs > retryWindowMs
    const record: AttemptRecord = {
      deliveryId: input.deliveryId,
      at,
      statusCode: result.statusCode,
      durationMs: result.durationMs,
      error: result.error,
      failureClass: result.failureClass,
      answer: redactAnswer(result.response),
      nextAttemptAt: last ? null : new Date(at.getTime() + retryIntervalMs),
      restarts: delivery.restarts,
      lost: input.lost,
      circuit: circuitTimes(retryIntervalMs, timeoutMs),
      ...(input.byCircuit ? { byCircuit: true } : {}),
    }
    return {
      statusCode: result.statusCode,
      error: result.error,
      timedOut: result.timedOut,
      last,
      write: async () => {
        const recorded = await persistently(run, () =>
          result.statusCode === GONE
            ? recordGone(sql, delivery, record)
            : result.error !== null && last
              ? exhaustDelivery(sql, delivery, record)
              : recordAttempt(sql, record),
        )
        if (recorded?.circuit && !input.byCircuit) await reportCircuit(dependencies, delivery)
        return recorded?.status ?? null
      },
    }
  } finally {
    clearInterval(heartbeat)
  }
}

/** Starts the workflow of a circuit that has moved. The sweeper does it if Temporal is down now. */
async function reportCircuit(
  { startCircuit }: WebhookDeliveryDependencies,
  { endpoint_id: id, merchant_id: merchantId, url }: LoadedAttempt,
): Promise<void> {
  await startCircuit({ id, merchantId, url }).catch(() => {})
}

/** Returns the headers with signatures by every valid secret, or the reason, for people, why there are none. */
function signAttempt(
  masterKeys: readonly string[],
  delivery: LoadedAttempt,
  body: Buffer,
  timestamp: number,
): { readonly headers: Readonly<Record<string, string>> } | { readonly refused: string } {
  const sealed = [delivery.secret_sealed, delivery.previous_secret_sealed].filter((each) => each !== null)
  try {
    const secrets = openEndpointSecrets(masterKeys, delivery.endpoint_id, sealed)
    return { headers: webhookHeaders({ id: delivery.event_id, timestamp, body, secrets }) }
  } catch (error) {
    return { refused: `Not sent: ${error instanceof Error ? error.message : String(error)}` }
  }
}

function toOutcome(
  status: DeliveryStatus | null,
  attempted: Attempted,
  retryIntervalMs: number,
): AttemptOutcome {
  switch (status) {
    case 'delivered':
      return { kind: 'delivered', statusCode: attempted.statusCode }
    case 'pending':
      // It became pending again during the last attempt. This run's window is over, and the signal starts
      // another run.
      if (attempted.last) return { kind: 'exhausted', error: attempted.error }
      return { kind: 'failed', error: attempted.error ?? '', retryInMs: retryIntervalMs }
    case 'exhausted':
      return { kind: 'exhausted', error: attempted.error }
    case 'held':
      return { kind: 'held' }
    case 'cancelled':
      return { kind: 'cancelled' }
    case null:
      return { kind: 'unknown' }
    default:
      return assertNever(status)
  }
}

/** Retries a write while the database is away. A result that is written twice counts once. */
async function persistently<T>(run: AttemptRun, write: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await write()
    } catch (error) {
      if (tries === RECORD_TRIES) throw error
      run.heartbeat()
      await sleep(RECORD_PAUSE_MS * tries)
    }
  }
}
