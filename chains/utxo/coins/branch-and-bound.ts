/** Searches for coins that need no change. */

/** Branches that the search tries before it gives up, as in Bitcoin Core. */
const MAX_TRIES = 100_000

/**
 * Searches for coins whose effective values sum to the target closely enough to need no change (Murch, "An
 * Evaluation of Coin Selection Strategies", 2016; Bitcoin Core's SelectCoinsBnB). Depth first, inclusion
 * before omission, largest first. A branch ends when it overshoots, cannot reach the target any more, has too
 * many inputs, or wastes more than the best.
 *
 * @param values - Effective values, all positive, in descending order.
 * @param costOfChange - Largest overpayment: the cost of making and spending a change output.
 * @param wastePerInput - Cost of an input now above its later cost. Negative when fees are low.
 * @returns Indexes into `values` of the least wasteful match. `null` without one.
 */
export function branchAndBound(
  values: readonly bigint[],
  target: bigint,
  costOfChange: bigint,
  wastePerInput: bigint,
  maxInputs: number,
): number[] | null {
  const upper = target + costOfChange
  const { rest, nextSmaller } = lookAhead(values)
  const selected: number[] = []
  let sum = 0n
  let best: number[] | null = null
  let bestWaste = 0n
  // A coin above the upper bound is in no match.
  let index = firstAtMost(values, upper)
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const waste = BigInt(selected.length) * wastePerInput
    let backtrack = sum + (rest[index] as bigint) < target || sum > upper || selected.length >= maxInputs
    if (best && wastePerInput > 0n && waste > bestWaste) backtrack = true
    if (sum >= target && sum <= upper) {
      backtrack = true
      if (!best || waste + (sum - target) < bestWaste) {
        best = [...selected]
        bestWaste = waste + (sum - target)
      }
    }
    if (!backtrack) {
      selected.push(index)
      sum += values[index] as bigint
      index++
      continue
    }
    const last = selected.pop()
    if (last === undefined) break
    sum -= values[last] as bigint
    // After a coin was left out, another of the same value would only repeat the branch.
    index = nextSmaller[last] as number
  }
  return best
}

/**
 * Returns, for each position, the value of all coins from there on, and the place of the next smaller coin.
 */
function lookAhead(values: readonly bigint[]) {
  const rest = new Array<bigint>(values.length + 1).fill(0n)
  const nextSmaller = new Array<number>(values.length)
  for (let i = values.length - 1; i >= 0; i--) {
    rest[i] = (rest[i + 1] as bigint) + (values[i] as bigint)
    nextSmaller[i] = values[i + 1] === values[i] ? (nextSmaller[i + 1] as number) : i + 1
  }
  return { rest, nextSmaller }
}

/** Returns the index of the first value of at most `limit` in a descending list. */
function firstAtMost(values: readonly bigint[], limit: bigint): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((values[middle] as bigint) > limit) low = middle + 1
    else high = middle
  }
  return low
}
