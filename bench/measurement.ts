/** What a bench reports: a figure of ours beside a reference of the same run. Only counts stand alone. */

/** One line of the table. */
export interface Measurement {
  /** Name, such as `deposits, block to webhook`. */
  readonly name: string
  readonly unit: string
  readonly ours: number
  /** Reference: the floor, the bare library or a target. `null` for a count that only informs. */
  readonly against: string | null
  readonly reference: number | null
  /** `ours / reference`, or the inverse where less is better, so that more is always better. */
  readonly ratio: number | null
  /** Smallest expected ratio. `null` when the line only informs. */
  readonly expected: number | null
  readonly note?: string
}

/** Runs `task` in `concurrency` loops for `seconds`. @returns The rate per second. */
export async function rate(
  seconds: number,
  concurrency: number,
  task: (index: number) => Promise<number> | Promise<void>,
): Promise<number> {
  let next = 0
  let done = 0
  const started = performance.now()
  const deadline = started + seconds * 1_000
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (performance.now() < deadline) {
        // `done += await …` would read `done` before the other loops have added to it.
        const more = (await task(next++)) ?? 1
        done += more
      }
    }),
  )
  return done / ((performance.now() - started) / 1_000)
}

/** Returns the median of a list of numbers. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Returns the number that a share of the list is below. @param share - Between 0 and 1, e.g. 0.99. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
