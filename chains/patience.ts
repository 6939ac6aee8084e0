/**
 * Decides how long to wait for one block: longer after each time-out, so that no large block stops a chain.
 */

/** Longest wait. A node that needs longer for one block cannot be followed. */
const LONGEST_MS = 600_000

export interface Patience {
  /** Returns the milliseconds for the next request. */
  ms(): number
  /** Notes that a request of so many milliseconds was not answered in time. Several at once count once. */
  exceeded(ms: number): void
  /** Notes an answer. The next block may be smaller. */
  answered(): void
}

/** Creates the patience of a network. @param usualMs - Usual time of a request. */
export function createPatience(usualMs: number): Patience {
  let current = usualMs
  return {
    ms: () => current,
    exceeded(ms) {
      current = Math.min(LONGEST_MS, Math.max(current, ms * 2))
    },
    answered() {
      current = Math.max(usualMs, Math.floor(current / 2))
    },
  }
}
