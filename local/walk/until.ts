/** How the walk waits. */

import { setTimeout as sleep } from 'node:timers/promises'

const TIMEOUT_MS = 90_000
const POLL_MS = 100

/** Looks until something is there. @throws Error that names what was waited for. */
export async function until<T>(what: string, look: () => Promise<T | null>): Promise<T> {
  const deadline = Date.now() + TIMEOUT_MS
  for (;;) {
    const found = await look()
    if (found !== null) return found
    if (Date.now() > deadline) throw new Error(`waited ${TIMEOUT_MS / 1_000} s and still not: ${what}`)
    await sleep(POLL_MS)
  }
}
