/** What one run of a withdrawal shows, and how it waits: until a signal comes, or for a time that grows. */

import {
  ActivityFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  isCancellation,
  setCurrentDetails,
  sleep,
  upsertSearchAttributes,
} from '@temporalio/workflow'
import type { WithdrawalStage } from '../domain/payouts/withdrawal-stage.js'
import type { WithdrawalInput } from '../temporal/inputs.js'
import { SEARCH_ATTRIBUTE } from '../temporal/search-attributes.js'
import { toMinute } from './describe-approvals.js'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const BACKOFF = { first: 2 * SECOND, most: 5 * MINUTE } as const
/** Longest time without a poll of the row, in case a signal is lost. */
const LONGEST_POLL_MS = 10 * MINUTE
/**
 * Longest time for which a step may be retried. What is not signed yet must expire even while no worker takes
 * its step, or while the step always fails, so the workflow then checks the expiry itself.
 */
export const LONGEST_STEP_MS = 5 * MINUTE

export interface Course {
  readonly input: WithdrawalInput
  /** Number of waits in the present stage. */
  waits: number
  /** Time at which the present stage was first seen. */
  readonly enteredAt: number
  /** Shows a stage, and begins its waits if it is new. Returns whether it is new. */
  enter(stage: WithdrawalStage): boolean
  /** Ends the wait under way: the handler of every signal. */
  wake(): void
  /** As `wake`, for the signal that the signer has answered. */
  answered(): void
  /** Says that the step just taken has seen every answer of which a signal came. */
  tookAnswers(): void
  /** Begins a turn. Call it before the row is read: a signal that comes from then on ends the turn's wait. */
  begin(): void
  /** Shows a text in the workflow's details. */
  show(text: string): void
  /** Waits for a signal, and at most `ms` milliseconds. */
  sleep(ms: number, text: string): Promise<void>
  /**
   * Waits for a signal while the withdrawal is undecided, at most until it expires. All these waits share one
   * timer, which ends when a stage is entered in which it is decided.
   */
  untilDecided(text: string): Promise<void>
  /** As `sleep`, but never longer than a poll of the row may be away. */
  poll(ms: number, text: string): Promise<void>
  /** Waits before a step is retried: each time twice as long, up to `most` milliseconds. */
  backOff(text: string, most?: number): Promise<void>
  /**
   * Returns what a step returns. `null`, after a pause, when no worker took the step or none completed it.
   */
  attempt<T>(step: Promise<T>): Promise<T | null>
  untilExpiry(): number
  isOver(): boolean
  /** How long a step may be retried before the workflow checks the expiry again. */
  closeMs(): number
}

/** Creates the course of one run. */
export function createCourse(input: WithdrawalInput): Course {
  let signals = 0
  let answers = 0
  let seen = 0
  let shown: WithdrawalStage | null = null
  let enteredAt = 0
  let expiry: { readonly scope: CancellationScope; over: boolean } | null = null
  const isWoken = () => signals !== seen || answers > 0
  const course: Course = {
    input,
    waits: 0,
    get enteredAt() {
      return enteredAt
    },
    enter(stage) {
      if (stage === shown) return false
      if (!isUndecided(stage)) {
        expiry?.scope.cancel()
        expiry = null
      }
      upsertSearchAttributes([{ key: SEARCH_ATTRIBUTE.stage, value: stage }])
      shown = stage
      enteredAt = Date.now()
      // Building again while the signer is offline is no progress, so the waits stay long.
      if (stage !== 'building' && stage !== 'pending_signature') course.waits = 0
      return true
    },
    wake() {
      signals++
    },
    answered() {
      answers++
    },
    tookAnswers() {
      answers = 0
    },
    begin() {
      seen = signals
      answers = 0
    },
    show(text) {
      setCurrentDetails(`**${input.title}** on ${input.network}\n\n${text}`)
    },
    async sleep(ms, text) {
      course.show(text)
      await condition(isWoken, Math.max(1, Math.ceil(ms)), { summary: text.slice(0, 200) })
    },
    async untilDecided(text) {
      course.show(text)
      if (expiry?.over) expiry = null
      expiry ??= startExpiry(course.untilExpiry(), toMinute(input.expiresAt))
      const timer = expiry
      await condition(() => isWoken() || timer.over)
    },
    poll: (ms, text) => course.sleep(Math.min(ms, LONGEST_POLL_MS), text),
    async backOff(text, most = Math.min(BACKOFF.most, course.untilExpiry())) {
      const ms = BACKOFF.first * 2 ** Math.min(course.waits++, 20)
      await course.sleep(Math.min(ms, Math.max(most, SECOND)), text)
    },
    async attempt(step) {
      try {
        return await step
      } catch (error) {
        if (!(error instanceof ActivityFailure) || error.cause instanceof CancelledFailure) throw error
        await course.backOff(
          'No worker of the queue "chain" takes this step, or it fails each time; it is retried',
        )
        return null
      }
    },
    untilExpiry: () => Date.parse(input.expiresAt) - Date.now(),
    isOver: () => course.untilExpiry() <= 0,
    closeMs: () => Math.max(SECOND, Math.min(LONGEST_STEP_MS, course.untilExpiry())),
  }
  return course
}

/** Whether people or the screening service have yet to decide about it. */
export function isUndecided(stage: WithdrawalStage): boolean {
  return stage === 'requested' || stage === 'pending_review' || stage === 'pending_approval'
}

/** Starts the timer at whose end a withdrawal expires that is still undecided. */
function startExpiry(ms: number, when: string) {
  const expiry = { scope: new CancellationScope(), over: false }
  void expiry.scope
    .run(() => sleep(Math.max(1, Math.ceil(ms)), { summary: `Expires ${when}` }))
    .then(() => {
      expiry.over = true
    })
    .catch((error: unknown) => {
      if (!isCancellation(error)) throw error
    })
  return expiry
}
