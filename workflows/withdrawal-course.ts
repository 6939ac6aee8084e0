/** What one run of a withdrawal shows, and how it waits: until a signal comes, or for a time that grows. */

import { ActivityFailure, CancelledFailure, condition, setCurrentDetails } from '@temporalio/workflow'
import type { WithdrawalInput } from '../temporal/inputs.js'

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
  /** Ends the wait under way: the handler of every signal. */
  wake(): void
  /** Begins a turn. Call it before the row is read: a signal that comes from then on ends the turn's wait. */
  begin(): void
  /** Shows a text in the workflow's details. */
  show(text: string): void
  /** Waits for a signal, and at most `ms` milliseconds. */
  sleep(ms: number, text: string): Promise<void>
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
  let seen = 0
  const course: Course = {
    input,
    waits: 0,
    wake() {
      signals++
    },
    begin() {
      seen = signals
    },
    show(text) {
      setCurrentDetails(`**${input.title}** on ${input.network}\n\n${text}`)
    },
    async sleep(ms, text) {
      course.show(text)
      await condition(() => signals !== seen, Math.max(1, Math.ceil(ms)), { summary: text.slice(0, 200) })
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
