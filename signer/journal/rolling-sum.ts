/** Sums amounts over the last 24 hours. */

/** Length of the rolling window of limits. */
export const LIMIT_WINDOW_MS = 86_400_000

/** Adds amounts in their order, and forgets them when they have left the window for good. */
export class RollingSum {
  #entries: { readonly at: number; readonly amount: bigint }[] = []
  /** Index of the first entry that `#sum` includes. */
  #start = 0
  #sum = 0n

  /**
   * Adds an amount. An entry after a clock was set back keeps its place in the order, since it would leave
   * too early otherwise.
   *
   * @param at - Milliseconds.
   */
  add(at: number, amount: bigint): void {
    const last = Math.max(at, this.#entries.at(-1)?.at ?? 0)
    this.#entries.push({ at: last, amount })
    this.#sum += amount
    this.#forget(last)
  }

  /**
   * Returns the sum of the window before `now`. `now` may be earlier than in the last call, because a clock
   * that was ahead must not remove anything.
   */
  total(now: number): bigint {
    const from = now - LIMIT_WINDOW_MS
    for (let oldest = this.#entries[this.#start]; oldest && oldest.at <= from; ) {
      this.#sum -= oldest.amount
      oldest = this.#entries[++this.#start]
    }
    for (let before = this.#entries[this.#start - 1]; before && before.at > from; ) {
      this.#sum += before.amount
      before = this.#entries[--this.#start - 1]
    }
    return this.#sum
  }

  /**
   * Forgets entries before the window that ends with the last entry: no caller asks for an earlier time. Each
   * entry is moved once on average.
   */
  #forget(last: number): void {
    this.total(last)
    if (this.#start <= 1_000 || this.#start * 2 <= this.#entries.length) return
    this.#entries = this.#entries.slice(this.#start)
    this.#start = 0
  }
}
