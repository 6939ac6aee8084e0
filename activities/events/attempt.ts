/** Types of an attempt of a delivery: what it needs, what it is given, and what becomes of it. */

import type { Sql } from '../../db/connect.js'
import type { Sender } from '../../egress/create-sender.js'
import type { EndpointGate } from '../../egress/endpoint-gate.js'
import type { CircuitGate } from '../../temporal/workflow-gate.js'

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
  /**
   * No attempt was made: the endpoint has too many under way, or the event is not sealed yet. `rate`: the endpoint
   * limits how many a second it gets.
   */
  | { readonly kind: 'postponed'; readonly delayMs: number; readonly why?: 'rate' }
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
