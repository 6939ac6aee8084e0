/**
 * Makes one attempt of a delivery: reads all in one query, POSTs the frozen bytes, stores the result in one
 * statement.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '../../db/connect.js'
import { exhaustDelivery, exhaustWaiting } from '../../db/events/webhooks/exhaust-delivery.js'
import { type LoadedAttempt, loadAttempt } from '../../db/events/webhooks/load-attempt.js'
import { type AttemptRecord, LOST, recordAttempt } from '../../db/events/webhooks/record-attempt.js'
import { cancelDelivery, holdDelivery } from '../../db/events/webhooks/set-delivery-status.js'
import { waitForCircuit } from '../../db/events/webhooks/wait-for-circuit.js'
import { assertNever } from '../../domain/assert-never.js'
import { circuitTimes } from '../../domain/events/circuit.js'
import type { DeliveryStatus } from '../../domain/events/delivery-status.js'
import { signWebhook } from '../../domain/events/webhook-signature.js'
import type { Sender } from '../../egress/create-sender.js'
import type { EndpointGate, Entry } from '../../egress/endpoint-gate.js'
import type { CircuitGate } from '../../temporal/workflow-gate.js'
import { openSecret } from '../../vault/seal-secret.js'

export interface WebhookDeliveryDependencies {
  readonly sql: Sql
  /** Master keys that open the endpoints' secrets. */
  readonly masterKeys: readonly string[]
  readonly sender: Sender
  readonly gate: EndpointGate
  /** `KEYTURN_WEBHOOK_TIMEOUT` in milliseconds: the sender's deadline of an attempt. */
  readonly timeoutMs: number
  /** `KEYTURN_WEBHOOK_RETRY_INTERVAL` in milliseconds. */
  readonly retryIntervalMs: number
  /** `KEYTURN_WEBHOOK_RETRY_WINDOW` in milliseconds. */
  readonly retryWindowMs: number
  /** Starts the workflow of an endpoint's circuit, or signals it, because the circuit has moved. */
  readonly startCircuit: CircuitGate['startWebhookCircuit']
}

export interface AttemptInput {
  readonly deliveryId: string
  /** Milliseconds from the delivery's start to the planned time of this attempt. */
  readonly elapsedMs: number
  /** Times (ISO 8601) of earlier attempts that ended without a result, so that the log can show them. */
  readonly lost: readonly string[]
  /**
   * Whether a person requested this attempt, which the window then does not limit. Absent in older histories.
   */
  readonly asked?: boolean
  /**
   * Whether it takes the place of the first attempt, which the workflow's first task did not finish. Absent
   * in other attempts.
   */
  readonly first?: boolean
  /**
   * Whether the circuit of the endpoint makes the attempt. Absent in attempts of the delivery's own workflow.
   */
  readonly byCircuit?: boolean
}

/** Outcome of an attempt. The workflow learns the worker's settings only from it. */
export type AttemptOutcome =
  | { readonly kind: 'delivered'; readonly statusCode: number | null }
  /** The attempt failed. The next one is due `retryInMs` after the planned time of this one. */
  | { readonly kind: 'failed'; readonly error: string; readonly retryInMs: number }
  /** No attempt was made: the endpoint has too many under way, or the event is not sealed yet. */
  | { readonly kind: 'postponed'; readonly delayMs: number }
  | { readonly kind: 'exhausted'; readonly error: string | null }
  | { readonly kind: 'held' }
  | { readonly kind: 'cancelled' }
  /** The attempt that began at this time (ISO 8601) ended without a result. */
  | { readonly kind: 'lost'; readonly since: string }
  /**
   * No attempt was made: the delivery waits for the circuit of its endpoint, until a signal of `since` or until
   * its window, which takes `windowMs` in all, is over. Times are ISO 8601.
   */
  | {
      readonly kind: 'waiting'
      readonly since: string
      readonly circuitSince: string
      readonly windowMs: number
    }
  /** There is no such delivery. */
  | { readonly kind: 'unknown' }

/** Connection of an attempt with what runs it, for example an activity. */
export interface AttemptRun {
  /** Signal that aborts the request. The attempt then has no result. */
  readonly signal: AbortSignal
  /** Shows that the attempt is alive. It is called every few seconds. */
  heartbeat(): void
}

/**
 * Delay while the event is not sealed. Sealing takes milliseconds, and only a redelivery can come before it.
 */
const UNSEALED_DELAY_MS = 1_000
/** Interval of heartbeats. Most attempts end before the first one. */
export const HEARTBEAT_MS = 3_000
/** Tries to store the result, so that an outage of the database does not cause a duplicate delivery. */
const RECORD_TRIES = 8
const RECORD_PAUSE_MS = 250
/** Error of a delivery whose window ended while it waited for the circuit. */
const WAITED = 'Not sent: the circuit of the endpoint was open until the window was over'
const USER_AGENT = 'Keyturn-Webhooks/1'

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
  const settled = await settleWithoutAttempt(sql, input.deliveryId, delivery)
  if (settled) return settled
  const given = await giveUp(dependencies, input, delivery)
  if (given) return given
  const waits = await waitForItsCircuit(dependencies, input, delivery)
  if (waits) return waits
  if (delivery.body === null) return { kind: 'postponed', delayMs: UNSEALED_DELAY_MS }
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

/**
 * Returns the outcome that the row already has, because its endpoint or another run decided it. `null`
 * otherwise.
 */
export async function settleWithoutAttempt(
  sql: Sql,
  deliveryId: string,
  delivery: LoadedAttempt,
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
      if (delivery.endpoint_status === 'active') return null
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
 * Ends a delivery whose window is over and whose attempts ended without a result. Another attempt would end
 * in the same way, and only an exhausted delivery raises an alert. The newest of those attempts is stored as
 * the last one.
 */
async function giveUp(
  { sql, retryWindowMs }: WebhookDeliveryDependencies,
  { deliveryId, elapsedMs, lost, asked = false }: AttemptInput,
  delivery: LoadedAttempt,
): Promise<AttemptOutcome | null> {
  const newest = lost.at(-1)
  if (asked || newest === undefined || elapsedMs <= retryWindowMs) return null
  const recorded = await exhaustDelivery(sql, delivery, {
    deliveryId,
    at: new Date(newest),
    statusCode: null,
    durationMs: 0,
    error: LOST,
    response: null,
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
  if (elapsedMs < retryWindowMs) {
    const wait = await waitForCircuit(sql, deliveryId, lost)
    if (!wait) return null
    return {
      kind: 'waiting',
      since: wait.since.toISOString(),
      circuitSince: wait.circuitSince.toISOString(),
      windowMs: retryWindowMs,
    }
  }
  if (delivery.circuit === 'half_open') return null
  // One that became pending again meanwhile gets another run.
  await exhaustWaiting(sql, delivery, deliveryId, WAITED)
  return { kind: 'exhausted', error: WAITED }
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
        ? { statusCode: null, durationMs: 0, error: signed.refused, response: null, timedOut: false }
        : await sender.send({
            url: delivery.url,
            body,
            headers: {
              'content-type': 'application/json',
              'user-agent': USER_AGENT,
              'webhook-id': delivery.event_id,
              'webhook-timestamp': String(timestamp),
              'webhook-signature': signed.signature,
            },
            signal: run.signal,
          })
    const last = input.elapsedMs + retryIntervalMs > retryWindowMs
    const record: AttemptRecord = {
      deliveryId: input.deliveryId,
      at,
      statusCode: result.statusCode,
      durationMs: result.durationMs,
      error: result.error,
      response: result.response,
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
          result.error !== null && last ? exhaustDelivery(sql, delivery, record) : recordAttempt(sql, record),
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

/** Returns the signatures by every valid secret, or the reason, for people, why there are none. */
function signAttempt(
  masterKeys: readonly string[],
  delivery: LoadedAttempt,
  body: Buffer,
  timestamp: number,
): { readonly signature: string } | { readonly refused: string } {
  const sealed = [delivery.secret_sealed, delivery.previous_secret_sealed].filter((each) => each !== null)
  const row = { table: 'webhook_endpoints', key: [delivery.endpoint_id] } as const
  try {
    const secrets = sealed.map((each) => openSecret(masterKeys, each, row).toString('utf8'))
    return { signature: signWebhook({ id: delivery.event_id, timestamp, body, secrets }) }
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
