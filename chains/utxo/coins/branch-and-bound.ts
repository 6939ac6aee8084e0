/** How many branches are looked at before the search gives up, as in Bitcoin Core. */
const MAX_TRIES = 100_000

/**
 * Looks for coins whose effective values sum to the target closely enough to need no change (Murch, "An Evaluation of Coin
 * Selection Strategies", 2016; Bitcoin Core's SelectCoinsBnB). Depth first, inclusion before omission, largest first; a
 * branch ends where it overshoots, cannot reach the target any more, has too many inputs, or wastes more than the best.
 *
 * @param values - Effective values, all positive, in descending order.
 * @param costOfChange - The most that may be overpaid: what making and spending a change output would cost.
 * @param wastePerInput - What an input costs now above what it will cost later; negative when fees are low.
 * @returns Indexes into `values` of the least wasteful match, or null.
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
  // Coins above the upper bound are in no match.
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

/** For each position what all coins from there on are worth, and where the next smaller coin is. */
function lookAhead(values: readonly bigint[]) {
  const rest = new Array<bigint>(values.length + 1).fill(0n)
  const nextSmaller = new Array<number>(values.length)
  for (let i = values.length - 1; i >= 0; i--) {
    rest[i] = (rest[i + 1] as bigint) + (values[i] as bigint)
    nextSmaller[i] = values[i + 1] === values[i] ? (nextSmaller[i + 1] as number) : i + 1
  }
  return { rest, nextSmaller }
}

/** Index of the first value at most `limit` in a descending list. */
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
