/** One attempt of a webhook delivery: read everything in one query, POST the frozen bytes, write the result in one statement. */

import { setTimeout as sleep } from 'node:timers/promises'
import { Context } from '@temporalio/activity'
import type { Sql } from '../../db/connect.js'
import { exhaustDelivery } from '../../db/events/webhooks/exhaust-delivery.js'
import { type LoadedAttempt, loadAttempt } from '../../db/events/webhooks/load-attempt.js'
import { type AttemptRecord, LOST, recordAttempt } from '../../db/events/webhooks/record-attempt.js'
import { cancelDelivery, holdDelivery } from '../../db/events/webhooks/set-delivery-status.js'
import { assertNever } from '../../domain/assert-never.js'
import type { DeliveryStatus } from '../../domain/events/delivery-status.js'
import { signWebhook } from '../../domain/events/webhook-signature.js'
import type { Sender } from '../../egress/create-sender.js'
import type { EndpointGate } from '../../egress/endpoint-gate.js'
import { openSecret } from '../../vault/seal-secret.js'

/**
 * Activity slots that a worker of the `webhooks` queue needs (`maxConcurrentActivityTaskExecutions`): an attempt mostly
 * waits for somebody else, and each endpoint that hangs keeps 16 of them (see `endpoint-gate.ts`).
 */
export const WEBHOOK_ACTIVITY_SLOTS = 1_000

export interface WebhookDeliveryDependencies {
  readonly sql: Sql
  /** The master keys that open the endpoints' secrets. */
  readonly masterKeys: readonly string[]
  readonly sender: Sender
  readonly gate: EndpointGate
  /** `KEYTURN_WEBHOOK_RETRY_INTERVAL` in milliseconds. */
  readonly retryIntervalMs: number
  /** `KEYTURN_WEBHOOK_RETRY_WINDOW` in milliseconds. */
  readonly retryWindowMs: number
}

export interface AttemptInput {
  readonly deliveryId: string
  /** Milliseconds between the delivery's start and the time for which this attempt was planned. */
  readonly elapsedMs: number
  /** Attempts before this one that ended without a result (ISO 8601): the log must show them. */
  readonly lost: readonly string[]
  /** Whether a person asked for this attempt: it is made also after the window. Absent in older histories. */
  readonly asked?: boolean
}

/** What came of an attempt; the worker's settings reach the workflow here and nowhere else. */
export type AttemptOutcome =
  | { readonly kind: 'delivered'; readonly statusCode: number | null }
  /** The next attempt is due `retryInMs` after this one was. */
  | { readonly kind: 'failed'; readonly error: string; readonly retryInMs: number }
  /** Not attempted: the endpoint has too much under way, or the event is not sealed yet. */
  | { readonly kind: 'postponed'; readonly delayMs: number }
  | { readonly kind: 'exhausted'; readonly error: string | null }
  | { readonly kind: 'held' }
  | { readonly kind: 'cancelled' }
  /** There is no such delivery. */
  | { readonly kind: 'unknown' }

export interface WebhookDeliveryActivities {
  attemptWebhookDelivery(input: AttemptInput): Promise<AttemptOutcome>
  cancelWebhookDelivery(deliveryId: string): Promise<void>
}

/** Sealing takes milliseconds; only a redelivery can be earlier. */
const UNSEALED_DELAY_MS = 1_000
/** Before this there is no need to say that we live: most attempts are over by then. */
const HEARTBEAT_MS = 3_000
/** How often writing the result is tried again: whoever has taken a webhook should not get it twice for our database's sake. */
const RECORD_TRIES = 8
const RECORD_PAUSE_MS = 250
const USER_AGENT = 'Keyturn-Webhooks/1'

/** Makes the activities of the `webhooks` queue. */
export function createWebhookDeliveryActivities(
  dependencies: WebhookDeliveryDependencies,
): WebhookDeliveryActivities {
  const { sql, gate } = dependencies
  return {
    async attemptWebhookDelivery(input) {
      const delivery = await loadAttempt(sql, input.deliveryId)
      if (!delivery) return { kind: 'unknown' }
      const settled = await settleWithoutAttempt(sql, input.deliveryId, delivery)
      if (settled) return settled
      const given = await giveUp(dependencies, input, delivery)
      if (given) return given
      if (delivery.body === null) return { kind: 'postponed', delayMs: UNSEALED_DELAY_MS }
      const pass = await gate.enter(delivery.endpoint_id)
      if (pass.kind === 'later') return { kind: 'postponed', delayMs: pass.delayMs }
      let timedOut = false
      try {
        const record = await attempt(dependencies, input, delivery, delivery.body)
        timedOut = record.timedOut
        const status = await record.write()
        return toOutcome(status, record, dependencies.retryIntervalMs)
      } finally {
        pass.leave(timedOut)
      }
    },
    async cancelWebhookDelivery(deliveryId) {
      await cancelDelivery(sql, deliveryId)
    },
  }
}

/** The row decides: an endpoint may have been disabled or deleted, a delivery cancelled or made by another run. */
async function settleWithoutAttempt(
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
 * Ends a delivery whose window is over while its attempts ended without a result: another one would end so too, and without an end
 * nobody would learn of it. The newest of those attempts is its last.
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

interface Attempted {
  readonly statusCode: number | null
  readonly error: string | null
  readonly timedOut: boolean
  /** Whether no further attempt is planned where this one failed. */
  readonly last: boolean
  /** Writes the result; returns the delivery's status. */
  write(): Promise<DeliveryStatus | null>
}

async function attempt(
  { sql, masterKeys, sender, retryIntervalMs, retryWindowMs }: WebhookDeliveryDependencies,
  input: AttemptInput,
  delivery: LoadedAttempt,
  body: Buffer,
): Promise<Attempted> {
  const at = new Date()
  const timestamp = Math.floor(at.getTime() / 1_000)
  const context = Context.current()
  const heartbeat = setInterval(() => context.heartbeat(), HEARTBEAT_MS)
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
            signal: context.cancellationSignal,
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
    }
    return {
      statusCode: result.statusCode,
      error: result.error,
      timedOut: result.timedOut,
      last,
      write: async () => {
        const recorded = await persistently(() =>
          result.error !== null && last ? exhaustDelivery(sql, delivery, record) : recordAttempt(sql, record),
        )
        return recorded?.status ?? null
      },
    }
  } finally {
    clearInterval(heartbeat)
  }
}

/** The signatures by every secret that signs now; or, for people, why there are none. */
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
      // Made pending again during the last attempt: this run's window is over, and the signal begins another one.
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

/** Tries again while the database is away; what is written twice counts once. */
async function persistently<T>(write: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await write()
    } catch (error) {
      if (tries === RECORD_TRIES) throw error
      Context.current().heartbeat()
      await sleep(RECORD_PAUSE_MS * tries)
    }
  }
}
