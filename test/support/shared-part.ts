/** Asks the test run for a real part that all test files share. */

import { inject } from 'vitest'

/**
 * Returns where a shared part listens; the first request starts the part. @throws Error that says why it did
 * not start.
 */
export async function sharedPart(name: 'postgres' | 'temporal'): Promise<unknown> {
  const response = await fetch(`${inject('parts')}/${name}`, { signal: AbortSignal.timeout(600_000) })
  if (!response.ok) throw new Error(await response.text())
  return response.json()
}
