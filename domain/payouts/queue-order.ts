/** Orders waiting payouts by urgency and age, so that none waits without an end. */

import type { Priority } from './priority.js'

const MINUTE_MS = 60_000

/**
 * Head start, in milliseconds, that is added to a payout's age. A payout can be overtaken only by one that is
 * requested within the difference of their head starts after it, so no number of urgent ones keeps it waiting
 * without an end.
 */
export const HEAD_START_MS: Readonly<Record<Priority, number>> = {
  low: 0,
  normal: 10 * MINUTE_MS,
  high: 20 * MINUTE_MS,
  urgent: 40 * MINUTE_MS,
}

/** Returns the score by which payouts are served, highest first: age and head start, in milliseconds. */
export function queueScore(priority: Priority, askedAt: Date, now: Date): number {
  return now.getTime() - askedAt.getTime() + HEAD_START_MS[priority]
}

/**
 * Returns Temporal's priority of a payout's steps, 1 (first) to 5, for a worker that has more to do than
 * slots. Urgency decides, and each ten minutes of age raise it by one step.
 */
export function priorityKey(priority: Priority, ageMs: number): number {
  const { low: least, urgent: most } = HEAD_START_MS
  const score = HEAD_START_MS[priority] + Math.max(0, ageMs)
  const steps = Math.floor(((score - least) / (most - least)) * 4)
  return Math.max(1, 5 - steps)
}
