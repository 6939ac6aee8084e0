/** Counts what this process does at the same time, by the names of those for whom it does it. */

export interface Slots {
  /** Returns how many are taken under a name. */
  taken(name: string): number
  /** Takes one under each name. @returns A function that frees them. A second call does nothing. */
  take(names: readonly string[]): () => void
}

/** Creates the counters, all of them at 0. */
export function createSlots(): Slots {
  const counts = new Map<string, number>()
  const taken = (name: string): number => counts.get(name) ?? 0
  const add = (names: readonly string[], change: 1 | -1): void => {
    for (const name of names) {
      const count = taken(name) + change
      if (count === 0) counts.delete(name)
      else counts.set(name, count)
    }
  }
  return {
    taken,
    take(names) {
      let held = true
      add(names, 1)
      return () => {
        if (held) add(names, -1)
        held = false
      }
    },
  }
}
