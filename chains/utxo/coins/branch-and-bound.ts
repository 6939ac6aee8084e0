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
  // Coins above the upper bound are in no match; skipping them here saves a branch for each.
  const first = firstAtMost(values, upper)
  let available = 0n
  for (let i = first; i < values.length; i++) available += values[i] as bigint

  const selected: number[] = []
  let sum = 0n
  let best: number[] | null = null
  let bestWaste = 0n
  for (let tries = 0, index = first; tries < MAX_TRIES; tries++, index++) {
    let backtrack = sum + available < target || sum > upper
    if (!backtrack && best && wastePerInput > 0n) {
      backtrack = BigInt(selected.length) * wastePerInput > bestWaste
    }
    if (!backtrack && sum >= target) {
      backtrack = true
      const waste = BigInt(selected.length) * wastePerInput + (sum - target)
      if (!best || waste < bestWaste) {
        best = [...selected]
        bestWaste = waste
      }
    }
    if (selected.length >= maxInputs) backtrack = true

    if (backtrack) {
      const last = selected.pop()
      if (last === undefined) break
      for (index--; index > last; index--) available += values[index] as bigint
      sum -= values[last] as bigint
      continue
    }
    const value = values[index] as bigint
    available -= value
    // After a coin was left out, another of the same value would only repeat the branch.
    const isRepeat = index > first && selected.at(-1) !== index - 1 && values[index - 1] === value
    if (!isRepeat) {
      selected.push(index)
      sum += value
    }
  }
  return best
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
