/** A sum over the last 24 hours. */

/** The rolling window of limits. */
export const LIMIT_WINDOW_MS = 86_400_000

/** Adds amounts as they come and forgets them when they leave the window. */
export class RollingSum {
  #entries: { readonly at: number; readonly amount: bigint }[] = []
  #start = 0
  #sum = 0n

  /** @param at - Milliseconds; a clock that was set back must not take entries out of order: they would leave too early. */
  add(at: number, amount: bigint): void {
    this.#entries.push({ at: Math.max(at, this.#entries.at(-1)?.at ?? 0), amount })
    this.#sum += amount
  }

  /** What lies in the window before `now`. */
  total(now: number): bigint {
    for (;;) {
      const oldest = this.#entries[this.#start]
      if (!oldest || oldest.at > now - LIMIT_WINDOW_MS) return this.#sum
      this.#sum -= oldest.amount
      this.#start++
      // What has left is let go of, at times: each entry is moved once on average.
      if (this.#start > 1_000 && this.#start * 2 > this.#entries.length) {
        this.#entries = this.#entries.slice(this.#start)
        this.#start = 0
      }
    }
  }
}
