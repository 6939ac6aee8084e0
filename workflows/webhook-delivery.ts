/**
 * Delivers one event to one endpoint: an attempt every few minutes, until the endpoint accepts it or the
 * window ends.
 */

import {
  CancellationScope,
  condition,
  continueAsNew,
  defineSignal,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow'
import type { AttemptInput, AttemptOutcome } from '../activities/events/attempt.js'
import type { FirstAttemptOutcome } from '../activities/events/first-attempts.js'
import type { CircuitMoved } from '../activities/events/webhook-circuit.js'
import type { WebhookDeliveryActivities } from '../activities/events/webhook-delivery.js'
import { assertNever } from '../domain/assert-never.js'
import type { WebhookDeliveryInput } from '../temporal/inputs.js'

/** Attempt at once: an operator requested it, or the delivery was made pending again. */
export const retryNow = defineSignal('retryNow')
/** Make no further attempt. */
export const cancel = defineSignal('cancel')
/** The circuit of the endpoint, for which the delivery waits, has sent it or is closed. */
export const circuitMoved = defineSignal<[CircuitMoved]>('circuitMoved')

/** Progress that a new run continues from when the history of the last one became too long. */
export interface DeliveryProgress {
  /** Start of the window, in milliseconds since the epoch. */
  readonly startedAt: number
  /** Time of the next attempt, in milliseconds since the epoch. */
  readonly dueAt: number
  readonly lost: readonly string[]
}

/** Limit against a worker that hangs. An attempt ends by itself after its own time-out. */
const START_TO_CLOSE = '2m'
/** Time after which a worker that died is noticed. */
const HEARTBEAT_TIMEOUT_MS = 10_000
/** Limit against a process that hangs. A first attempt is handed over by itself after a second. */
const LOCAL_TIMEOUT = '5s'
/** Pause after an attempt without a result. Each further pause is longer, up to the interval. */
const LOST_DELAY_MS = 5_000
/** Interval until an attempt has returned the endpoint's. */
const DEFAULT_INTERVAL_MS = 300_000

/**
 * Delivers a webhook. Interval and window come with each attempt's result. The row in Postgres decides
 * whether there is anything left to do, so a run that was started or signalled once too often does no harm.
 *
 * @returns How it ended. A held delivery goes on in a new run when its endpoint is enabled.
 */
export async function webhookDelivery(
  input: WebhookDeliveryInput,
  progress?: DeliveryProgress,
): Promise<'delivered' | 'exhausted' | 'held' | 'cancelled' | 'unknown'> {
  const { attemptWebhookDelivery, cancelWebhookDelivery } = proxyActivities<WebhookDeliveryActivities>({
    startToCloseTimeout: START_TO_CLOSE,
    heartbeatTimeout: HEARTBEAT_TIMEOUT_MS,
    // The loop below is the retry policy: operators must see each attempt and its timer.
    retry: { maximumAttempts: 1 },
    summary: input.title,
    priority: { fairnessKey: input.endpointId },
  })
  const { beginWebhookDelivery } = proxyLocalActivities<WebhookDeliveryActivities>({
    startToCloseTimeout: LOCAL_TIMEOUT,
    retry: { maximumAttempts: 1 },
    summary: input.title,
  })
  let local = input.firstAttempt === 'local' && progress === undefined
  /** Why a regular activity finishes the first attempt. `null` if none does, or once it has an outcome. */
  let handedOver: Extract<FirstAttemptOutcome, { kind: 'handed_over' }>['why'] | null = null
  let startedAt = progress?.startedAt ?? Date.now()
  let dueAt = progress?.dueAt ?? startedAt
  let lost: readonly string[] = progress?.lost ?? []
  let intervalMs = DEFAULT_INTERVAL_MS
  let wanted = false
  let cancelled = false
  /** Ends of waits for the circuit, by the start of the wait. */
  const moves = new Map<string, CircuitMoved>()
  /** Outcome of an attempt that the circuit made. `null` if this workflow makes the next one. */
  let made: AttemptOutcome | null = null
  setHandler(circuitMoved, (moved) => {
    moves.set(moved.since, moved)
  })
  setHandler(retryNow, () => {
    wanted = true
  })
  setHandler(cancel, () => {
    cancelled = true
  })

  /** Sleeps until `dueAt`, unless a signal requests the attempt sooner. */
  const wait = async (why: string): Promise<void> => {
    const delayMs = Math.max(dueAt - Date.now(), 1)
    setCurrentDetails(`${why}. Next attempt at ${new Date(Date.now() + delayMs).toISOString()}`)
    const sooner = await condition(() => wanted || cancelled, delayMs, { summary: `Next attempt: ${why}` })
    if (sooner) dueAt = Date.now()
  }

  /**
   * Sleeps until the circuit of the endpoint has sent the delivery or is closed, or until the window is over.
   *
   * @returns The outcome of the circuit's attempt. `null` if the row decides what comes next.
   */
  const waitForCircuit = async (waiting: Extract<AttemptOutcome, { kind: 'waiting' }>) => {
    const { since, circuitSince, windowMs } = waiting
    const endsAt = startedAt + windowMs
    setCurrentDetails(
      `Waits since ${since} for the circuit of the endpoint, which is open since ${circuitSince}. The window is over at ${new Date(endsAt).toISOString()}`,
    )
    const sooner = await condition(
      () => wanted || cancelled || moves.has(since),
      Math.max(endsAt - Date.now(), 1),
      { summary: "Window is over, while the endpoint's circuit is open" },
    )
    dueAt = sooner ? Date.now() : Math.max(endsAt, Date.now())
    const moved = moves.get(since)
    moves.clear()
    return moved?.outcome ?? null
  }

  /** Makes an attempt. The first one runs within this task, and a regular activity finishes it if need be. */
  const attempt = async (given: AttemptInput): Promise<AttemptOutcome> => {
    if (local) {
      local = false
      const begun = await beginOrHandOver(() =>
        beginWebhookDelivery({
          deliveryId: input.id,
          endpointId: input.endpointId,
          merchantId: input.merchantId,
        }),
      )
      if (begun.kind !== 'handed_over') return begun
      handedOver = begun.why
      setCurrentDetails(begun.why === 'slow' ? 'The endpoint has not answered yet' : 'Waits for its turn')
    }
    if (handedOver === null) return attemptWebhookDelivery(given)
    const outcome = await attemptWebhookDelivery({ ...given, first: true })
    handedOver = null
    return outcome
  }

  try {
    if (dueAt > Date.now()) await wait('Continued in a new run')
    for (;;) {
      if (cancelled) {
        await cancelWebhookDelivery(input.id)
        return 'cancelled'
      }
      const asked = wanted
      wanted = false
      const begunAt = Date.now()
      const outcome: AttemptOutcome | Lost =
        made !== null && !asked
          ? made
          : await attemptOrLose(() =>
              attempt({ deliveryId: input.id, elapsedMs: dueAt - startedAt, lost, asked }),
            )
      made = null
      switch (outcome.kind) {
        case 'failed':
          lost = []
          intervalMs = outcome.retryInMs
          // The next attempt counts from the planned time, so that the schedule does not drift; or from now,
          // if attempts take longer than the interval.
          dueAt = dueAt + intervalMs > Date.now() ? dueAt + intervalMs : Date.now() + intervalMs
          await wait(outcome.error)
          break
        case 'lost':
          // The row says when a slow first attempt began, so the next activity finds out what became of it.
          if (handedOver !== 'slow') {
            lost = [...lost, outcome.since ?? new Date(begunAt).toISOString()]
            handedOver = null
          }
          // The attempt's time-out is over, so the next one need not wait.
          if (outcome.since !== undefined) break
          dueAt = Date.now() + Math.min(LOST_DELAY_MS * 2 ** Math.min(lost.length - 1, 10), intervalMs)
          await wait('No result of the last attempt')
          break
        case 'postponed':
          dueAt = Date.now() + outcome.delayMs
          await wait(
            outcome.why === 'rate'
              ? "Waits for its time within the endpoint's rate"
              : 'The endpoint has too many attempts under way',
          )
          break
        case 'waiting':
          // The log has the attempts without a result now.
          lost = []
          made = await waitForCircuit(outcome)
          break
        case 'delivered':
        case 'exhausted':
        case 'held':
        case 'cancelled':
        case 'unknown':
          setCurrentDetails(describeEnd(outcome))
          // A retry was requested during the attempt: the row may be pending again, so the loop asks it.
          if (!wanted) return outcome.kind
          // These attempts are in the log of the window that ends.
          if (outcome.kind === 'delivered' || outcome.kind === 'exhausted') lost = []
          startedAt = Date.now()
          dueAt = startedAt
          break
        default:
          return assertNever(outcome)
      }
      if (workflowInfo().continueAsNewSuggested && !wanted && !cancelled) {
        await continueAsNew<typeof webhookDelivery>(input, { startedAt, dueAt, lost })
      }
    }
  } catch (error) {
    if (!isCancellation(error)) throw error
    await CancellationScope.nonCancellable(() => cancelWebhookDelivery(input.id))
    return 'cancelled'
  }
}

/** An attempt without a result, of which the row knows nothing either. */
interface Lost {
  readonly kind: 'lost'
  readonly since?: undefined
}

/**
 * Makes an attempt. A worker that died, or a database that stayed away, leaves it unknown whether the
 * endpoint received the event.
 */
async function attemptOrLose(attempt: () => Promise<AttemptOutcome>): Promise<AttemptOutcome | Lost> {
  try {
    return await attempt()
  } catch (error) {
    // A worker that shuts down cancels its activities too. Only the workflow's own cancellation ends it.
    if (CancellationScope.current().consideredCancelled) throw error
    return { kind: 'lost' }
  }
}

/** Begins the first attempt. If it ends without an outcome, the row shows whether it has begun. */
async function beginOrHandOver(begin: () => Promise<FirstAttemptOutcome>): Promise<FirstAttemptOutcome> {
  try {
    return await begin()
  } catch (error) {
    if (CancellationScope.current().consideredCancelled) throw error
    return { kind: 'handed_over', why: 'slow' }
  }
}

function describeEnd(
  outcome: Extract<AttemptOutcome, { kind: 'delivered' | 'exhausted' | 'held' | 'cancelled' | 'unknown' }>,
): string {
  switch (outcome.kind) {
    case 'delivered':
      return outcome.statusCode === null ? 'Delivered' : `Delivered: HTTP ${outcome.statusCode}`
    case 'exhausted':
      return `Exhausted: ${outcome.error ?? 'the window is over'}`
    case 'held':
      return 'Held: the endpoint is disabled'
    case 'cancelled':
      return 'Cancelled'
    case 'unknown':
      return 'There is no such delivery'
    default:
      return assertNever(outcome)
  }
}
