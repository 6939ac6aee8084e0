/** Waits for what a busy machine does late. */

import { setTimeout as sleep } from 'node:timers/promises'
import { limitFor } from './customers.js'

/** Limit for each wait, which takes seconds on a quiet machine. */
const WAIT_MS = limitFor(240_000)
const POLL_MS = 300

/**
 * Waits until `find` finds something.
 *
 * @param what - Sentence that the error begins with.
 * @throws Error with what `find` threw last.
 */
export async function until<T>(what: string, find: () => Promise<T | null>): Promise<T> {
  let reason = ''
  for (const deadline = Date.now() + WAIT_MS; Date.now() < deadline; await sleep(POLL_MS)) {
    try {
      const found = await find()
      if (found !== null) return found
      reason = ''
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error)
    }
  }
  throw new Error(`${what} after ${WAIT_MS / 1_000} s ${reason}`)
}
