/**
 * Maps items with at most `limit` calls under way. Results keep the order of the items.
 *
 * @throws The first error, once no call is under way any more.
 */
export async function mapConcurrently<T, R>(
  items: readonly T[],
  limit: number,
  map: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length)
  const errors: unknown[] = []
  const iterator = items.entries()
  const lane = async () => {
    for (const [index, item] of iterator) {
      if (errors.length > 0) return
      try {
        results[index] = await map(item)
      } catch (error) {
        errors.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane))
  if (errors.length > 0) throw errors[0]
  return results
}
