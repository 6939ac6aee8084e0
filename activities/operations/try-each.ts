/** Tries every row of a loop that serves all merchants: one that fails keeps none of the others from its turn. */

import { isTemporalOutage } from '../../temporal/temporal-outage.js'

/** What became of the items; those that are in neither list were not tried, because of the outage. */
export interface Tried<T> {
  readonly done: readonly T[]
  readonly failed: readonly { readonly item: T; readonly error: unknown }[]
  /** What says that Temporal cannot be used now, so that no further item was tried; null where all were. */
  readonly outage: unknown
}

/** Runs with at most `limit` items under way; never throws. */
export async function tryEach<T>(
  items: readonly T[],
  limit: number,
  run: (item: T) => Promise<unknown>,
): Promise<Tried<T>> {
  const done: T[] = []
  const failed: { item: T; error: unknown }[] = []
  let outage: unknown = null
  const iterator = items.values()
  const lane = async () => {
    for (const item of iterator) {
      try {
        await run(item)
        done.push(item)
      } catch (error) {
        if (isTemporalOutage(error)) outage = error
        else failed.push({ item, error })
      }
      if (outage !== null) return
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane))
  return { done, failed, outage }
}
