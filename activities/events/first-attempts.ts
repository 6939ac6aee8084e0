/**
 * Makes first attempts within the first task of their workflows. One that takes longer goes on in this
 * process, and a regular activity waits for its result: a receiver must not get an event twice only because
 * it is slow.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { claimFirstAttempt } from '../../db/events/webhooks/claim-first-attempt.js'
import { lastAttempt } from '../../db/events/webhooks/last-attempt.js'
import { type LoadedAttempt, loadAttempt } from '../../db/events/webhooks/load-attempt.js'
import type { Entry } from '../../egress/endpoint-gate.js'
import type { AttemptInput, AttemptOutcome, AttemptRun, WebhookDeliveryDependencies } from './attempt.js'
import { HEARTBEAT_MS, sendAndRecord } from './attempt-delivery.js'
import { settleWithoutAttempt, waitForItsCircuit } from './settle-without-attempt.js'

export interface FirstAttemptInput {
  readonly deliveryId: string
  readonly endpointId: string
  readonly merchantId: string
}

/** Outcome of a first attempt. A regular activity finishes one that is handed over. */
export type FirstAttemptOutcome =
  | AttemptOutcome
  /** `slow`: it is under way. `busy`: it did not begin. */
  | { readonly kind: 'handed_over'; readonly why: 'slow' | 'busy' }

export interface FirstAttempts {
  /** Begins the first attempt, and returns its outcome if it ends at once. */
  begin(input: FirstAttemptInput): Promise<FirstAttemptOutcome>
  /**
   * Returns the outcome of a first attempt that `begin` handed over in this process or in another one. `null`
   * if none began.
   */
  join(input: AttemptInput, run: AttemptRun): Promise<AttemptOutcome | null>
  /** Waits for the attempts under way, and aborts those that take too long. */
  close(): Promise<void>
}

interface UnderWay {
  readonly outcome: Promise<FirstAttemptOutcome>
  readonly stop: AbortController
}

/** Time that an attempt may take within the workflow's task. */
const AT_ONCE_MS = 1_000
/** Time after an attempt's time-out until its result is stored, even if the database was away meanwhile. */
const RECORD_GRACE_MS = 10_000
/** Interval of polling for an attempt of another process. */
const POLL_MS = 500
/** Time that attempts have to end when the worker stops. */
const CLOSE_MS = 5_000

/** Creates the first attempts of a process. */
export function createFirstAttempts(dependencies: WebhookDeliveryDependencies): FirstAttempts {
  const { sql, gate, retryIntervalMs, timeoutMs } = dependencies
  const underWay = new Map<string, UnderWay>()

  /** Returns the outcome of an attempt that is in the log. */
  const recorded = async (deliveryId: string): Promise<AttemptOutcome> => {
    const last = await lastAttempt(sql, deliveryId)
    if (last?.error === null) return { kind: 'delivered', statusCode: last.status_code }
    return { kind: 'failed', error: last?.error ?? '', retryInMs: retryIntervalMs }
  }

  /** Returns the outcome that the row has. `null` if the delivery is pending without an attempt in its log. */
  const outcomeOf = async (deliveryId: string, delivery: LoadedAttempt): Promise<AttemptOutcome | null> => {
    const logged = delivery.attempts > 0 && (delivery.status === 'pending' || delivery.status === 'delivered')
    return logged ? recorded(deliveryId) : settleWithoutAttempt(sql, deliveryId, delivery)
  }

  /** Returns the outcome of a delivery that this process does not send now. */
  const withoutAttempt = async (
    deliveryId: string,
    delivery: LoadedAttempt,
  ): Promise<FirstAttemptOutcome> => {
    const outcome = await outcomeOf(deliveryId, delivery)
    if (outcome) return outcome
    if (delivery.first_attempt_at !== null) return { kind: 'handed_over', why: 'slow' }
    const waits = await waitForItsCircuit(dependencies, { deliveryId, elapsedMs: 0, lost: [] }, delivery)
    return waits ?? { kind: 'handed_over', why: 'busy' }
  }

  const attempt = async (
    { deliveryId }: FirstAttemptInput,
    entry: Entry,
    signal: AbortSignal,
  ): Promise<FirstAttemptOutcome> => {
    let sent = false
    try {
      const delivery = await claimFirstAttempt(sql, deliveryId)
      if (!delivery) return { kind: 'unknown' }
      if (delivery.claimed) {
        sent = true
        const input = { deliveryId, elapsedMs: 0, lost: [] }
        return await sendAndRecord(dependencies, input, delivery, { signal, heartbeat() {} }, entry)
      }
      return await withoutAttempt(deliveryId, delivery)
    } finally {
      if (!sent) entry.cancel()
    }
  }

  /** Waits until an attempt of another process has a result, or cannot have one any more. */
  const poll = async (
    deliveryId: string,
    { signal, heartbeat }: AttemptRun,
  ): Promise<AttemptOutcome | null> => {
    for (;;) {
      const delivery = await loadAttempt(sql, deliveryId)
      if (!delivery) return { kind: 'unknown' }
      const outcome = await outcomeOf(deliveryId, delivery)
      if (outcome || delivery.first_attempt_at === null) return outcome
      if ((delivery.first_attempt_age_ms ?? 0) > timeoutMs + RECORD_GRACE_MS)
        return { kind: 'lost', since: delivery.first_attempt_at.toISOString() }
      heartbeat()
      await sleep(POLL_MS, undefined, { signal })
    }
  }

  return {
    async begin(input) {
      const { deliveryId, endpointId, merchantId } = input
      if (underWay.has(deliveryId)) return { kind: 'handed_over', why: 'slow' }
      const entry = await gate.enterAtOnce(endpointId, merchantId)
      if (underWay.has(deliveryId)) {
        entry?.cancel()
        return { kind: 'handed_over', why: 'slow' }
      }
      if (entry === null) {
        // The endpoint may be in trouble. A delivery that only waits for its circuit needs no other activity.
        const delivery = await loadAttempt(sql, deliveryId)
        return delivery ? withoutAttempt(deliveryId, delivery) : { kind: 'unknown' }
      }
      const stop = new AbortController()
      const outcome = attempt(input, entry, stop.signal).finally(() => underWay.delete(deliveryId))
      underWay.set(deliveryId, { outcome, stop })
      const ended = outcome.catch((): FirstAttemptOutcome => ({ kind: 'handed_over', why: 'slow' }))
      const patience = new AbortController()
      const late = sleep(AT_ONCE_MS, undefined, { signal: patience.signal }).then((): FirstAttemptOutcome => {
        entry.overdue()
        return { kind: 'handed_over', why: 'slow' }
      })
      late.catch(() => {})
      const first = await Promise.race([ended, late])
      patience.abort()
      return first
    },
    async join({ deliveryId }, run) {
      const here = underWay.get(deliveryId)
      if (here) {
        const abort = () => here.stop.abort(run.signal.reason)
        run.signal.addEventListener('abort', abort)
        const alive = setInterval(() => run.heartbeat(), HEARTBEAT_MS)
        try {
          const outcome = await here.outcome
          if (outcome.kind !== 'handed_over') return outcome
        } finally {
          clearInterval(alive)
          run.signal.removeEventListener('abort', abort)
        }
      }
      return poll(deliveryId, run)
    },
    async close() {
      const all = [...underWay.values()]
      const ended = Promise.allSettled(all.map((each) => each.outcome))
      const patience = new AbortController()
      await Promise.race([ended, sleep(CLOSE_MS, undefined, { signal: patience.signal }).catch(() => {})])
      patience.abort()
      for (const each of all) each.stop.abort(new Error('The worker stops'))
      await ended
    },
  }
}
