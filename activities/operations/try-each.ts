/** Runs a step for every item, so that one that fails does not keep the others from their turn. */

import { isTemporalOutage } from '../../temporal/temporal-outage.js'

/** Outcome for the items. Those in neither list were not tried because of the outage. */
export interface Tried<T> {
  readonly done: readonly T[]
  readonly failed: readonly { readonly item: T; readonly error: unknown }[]
  /**
   * Error that shows an outage of Temporal, after which no further item was tried. `null` if all were tried.
   */
  readonly outage: unknown
}

/** Runs the step with at most `limit` items under way. It never throws. */
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
