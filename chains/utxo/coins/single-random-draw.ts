/**
 * Draws coins at random until they reach the target (Erhardt's single random draw, as in Bitcoin Core).
 * Wallets that pay this way keep coins of many sizes. The same seed draws the same coins.
 *
 * @param seed - Integer, of which the low 32 bits count.
 * @returns Indexes into `values`. `null` if `maxInputs` draws do not reach the target.
 */
export function singleRandomDraw(
  values: readonly bigint[],
  target: bigint,
  maxInputs: number,
  seed: number,
): number[] | null {
  const random = mulberry32(seed)
  // This is a Fisher–Yates shuffle of which only the drawn part is carried out.
  const moved = new Map<number, number>()
  const drawn: number[] = []
  let sum = 0n
  for (let i = 0; i < values.length && drawn.length < maxInputs; i++) {
    const j = i + Math.floor(random() * (values.length - i))
    const index = moved.get(j) ?? j
    moved.set(j, moved.get(i) ?? i)
    drawn.push(index)
    sum += values[index] as bigint
    if (sum >= target) return drawn
  }
  return null
}

/** Creates a small generator of numbers in [0, 1). It is no secret which coins are drawn. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
