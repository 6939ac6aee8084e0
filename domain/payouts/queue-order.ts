/** In which order waiting payments are served: by urgency and age, so that none starves. */

import type { Priority } from './priority.js'

const MINUTE_MS = 60_000

/**
 * How much older than it is a payment counts. Whatever waits is overtaken only by what is asked for within the difference of
 * two head starts after it: nothing waits for ever, however much is urgent.
 */
export const HEAD_START_MS: Readonly<Record<Priority, number>> = {
  low: 0,
  normal: 10 * MINUTE_MS,
  high: 20 * MINUTE_MS,
  urgent: 40 * MINUTE_MS,
}

/** The score by which payments are served, highest first, in milliseconds: age and head start. */
export function queueScore(priority: Priority, askedAt: Date, now: Date): number {
  return now.getTime() - askedAt.getTime() + HEAD_START_MS[priority]
}

/**
 * Temporal's priority of a payment's steps, 1 (first) to 5, for a worker that has more to do than slots: urgency, and one
 * step up for each ten minutes of age.
 */
export function priorityKey(priority: Priority, ageMs: number): number {
  const { low: least, urgent: most } = HEAD_START_MS
  const score = HEAD_START_MS[priority] + Math.max(0, ageMs)
  const steps = Math.floor(((score - least) / (most - least)) * 4)
  return Math.max(1, 5 - steps)
}
