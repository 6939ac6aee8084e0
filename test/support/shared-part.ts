import { inject } from 'vitest'

/** Asks the test run for a part it shares, which starts it when it is the first to ask. @throws Error that says why not. */
export async function sharedPart(name: 'postgres' | 'temporal'): Promise<unknown> {
  const response = await fetch(`${inject('parts')}/${name}`, { signal: AbortSignal.timeout(600_000) })
  if (!response.ok) throw new Error(await response.text())
  return response.json()
}
