/** A sum over the last 24 hours. */

/** The rolling window of limits. */
export const LIMIT_WINDOW_MS = 86_400_000

/** Adds amounts as they come and forgets them when they have left the window for good. */
export class RollingSum {
  #entries: { readonly at: number; readonly amount: bigint }[] = []
  /** The first entry that `#sum` holds. */
  #start = 0
  #sum = 0n

  /** @param at - Milliseconds; a clock that was set back must not take entries out of order: they would leave too early. */
  add(at: number, amount: bigint): void {
    const last = Math.max(at, this.#entries.at(-1)?.at ?? 0)
    this.#entries.push({ at: last, amount })
    this.#sum += amount
    this.#forget(last)
  }

  /** What lies in the window before `now`, which may be earlier than it was the last time: a clock that was ahead takes nothing away. */
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

  /** No time that is asked about is before the last entry, so what had left the window by then is let go of: each entry is moved once on average. */
  #forget(last: number): void {
    this.total(last)
    if (this.#start <= 1_000 || this.#start * 2 <= this.#entries.length) return
    this.#entries = this.#entries.slice(this.#start)
    this.#start = 0
  }
}
