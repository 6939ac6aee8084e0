/** Measures two sides in turns, so that other load of the machine meets both. */

import { median } from './measurement.js'

/** Medians of each side, and of the rounds' ratios. */
export interface Alternated {
  readonly ours: number
  readonly reference: number
  /** Median of `ours / reference` of each round. */
  readonly ratio: number
}

/** Milliseconds after which no round starts: a busy machine gets fewer rounds, not a longer run. */
const BUDGET_MS = 75_000

/**
 * Runs ours and the reference in turns, after one round of each that does not count.
 *
 * @param rounds - The largest number of rounds. At least one round runs.
 */
export async function alternate(
  rounds: number,
  ours: (round: number) => Promise<number>,
  reference: (round: number) => Promise<number>,
): Promise<Alternated> {
  const figures: { ours: number; reference: number }[] = []
  const deadline = Date.now() + BUDGET_MS
  for (let round = 0; round <= rounds; round++) {
    if (round > 1 && Date.now() > deadline) break
    const pair = { ours: await ours(round), reference: await reference(round) }
    if (round > 0) figures.push(pair)
  }
  return {
    ours: median(figures.map((each) => each.ours)),
    reference: median(figures.map((each) => each.reference)),
    ratio: median(figures.map((each) => each.ours / each.reference)),
  }
}
