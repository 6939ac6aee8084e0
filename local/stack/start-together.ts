/** Starts parts at the same time, and shows which one the others wait for. */

import type { Say } from '../parts/say.js'

const PROGRESS_MS = 5_000

/**
 * Waits until all parts have started or failed, unlike Promise.all, so that nothing starts while the stack is
 * cleaned up. Shows every few seconds what it waits for, and at the end how long each part took.
 *
 * @param parts - The parts that start, by the name that a person reads. A value that is no promise is left out
 * of what is shown.
 * @throws The first part's error.
 */
export async function startTogether<T extends object>(
  say: Say,
  parts: { readonly [K in keyof T]: Promise<T[K]> | T[K] },
): Promise<T> {
  const began = Date.now()
  const took = new Map<string, number>()
  const waitedFor = new Set<string>()
  const started = Object.entries(parts).map(async ([name, part]): Promise<[string, unknown]> => {
    if (!(part instanceof Promise)) return [name, part]
    waitedFor.add(name)
    const value: unknown = await part.finally(() => waitedFor.delete(name))
    took.set(name, Date.now() - began)
    return [name, value]
  })
  const progress = setInterval(() => say(`Waiting for ${[...waitedFor].join(', ')}`), PROGRESS_MS)
  const settled = await Promise.allSettled(started)
  clearInterval(progress)
  for (const each of settled) if (each.status === 'rejected') throw each.reason
  say(`Started ${[...took].map(([name, ms]) => `${name} (${(ms / 1_000).toFixed(1)} s)`).join(', ')}`)
  return Object.fromEntries(
    settled.map((each) => (each as PromiseFulfilledResult<[string, unknown]>).value),
  ) as T
}
