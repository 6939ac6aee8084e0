/** Names the states of a task that several threads see. */

/** A task is free until one thread takes it. Only that thread writes `YES` or `NO`. */
export const PLACE = { FREE: 0, TAKEN: 1, YES: 2, NO: 3 } as const

/** Takes a free task. @returns False when another thread has it. */
export function take(places: Int32Array, index: number): boolean {
  return Atomics.compareExchange(places, index, PLACE.FREE, PLACE.TAKEN) === PLACE.FREE
}

/** Writes the answer about a task that this thread took. */
export function settle(places: Int32Array, index: number, isTrue: boolean): void {
  Atomics.store(places, index, isTrue ? PLACE.YES : PLACE.NO)
  Atomics.notify(places, index)
}
