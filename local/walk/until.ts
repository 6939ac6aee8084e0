/** Waits for a step of the walk. */

import { setTimeout as sleep } from 'node:timers/promises'

const TIMEOUT_MS = 90_000
const POLL_MS = 100

/** Polls until there is a result. @throws Error that names what did not happen in time. */
export async function until<T>(what: string, look: () => Promise<T | null>): Promise<T> {
  const deadline = Date.now() + TIMEOUT_MS
  for (;;) {
    const found = await look()
    if (found !== null) return found
    if (Date.now() > deadline) throw new Error(`waited ${TIMEOUT_MS / 1_000} s and still not: ${what}`)
    await sleep(POLL_MS)
  }
}
