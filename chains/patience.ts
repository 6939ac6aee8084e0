/** How long one block is waited for: longer each time that it was not there in time, so that no block stops a chain. */

/** A node that needs longer than this for one block cannot be followed. */
const LONGEST_MS = 600_000

export interface Patience {
  /** Milliseconds for the next request. */
  ms(): number
  /** The answer to a request of so many milliseconds did not come in time; several under way at once count once. */
  exceeded(ms: number): void
  /** An answer came: the next block may be smaller. */
  answered(): void
}

/** @param usualMs - What a request gets as a rule. */
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
