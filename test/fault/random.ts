/** Random numbers that a seed repeats, so that a failing run can be run again. */

export interface Random {
  /** Returns a whole number from `least` to `most`, both included. */
  between(least: number, most: number): number
  /** Returns the same values in another order. */
  shuffled<T>(values: readonly T[]): T[]
}

/** Returns the generator mulberry32 (T. Ettinger, public domain). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1))
  return {
    between,
    shuffled<T>(values: readonly T[]) {
      const left = [...values]
      const shuffled: T[] = []
      while (left.length > 0) shuffled.push(...left.splice(between(0, left.length - 1), 1))
      return shuffled
    },
  }
}
