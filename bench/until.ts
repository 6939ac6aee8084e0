/** Waits for what the platform does by itself. */

import { setTimeout as sleep } from 'node:timers/promises'

const STEP_MS = 180_000
const POLL_MS = 100

/** Polls until the check succeeds. @throws Error that names what did not happen in time. */
export async function until(
  what: string,
  check: () => Promise<boolean>,
  milliseconds = STEP_MS,
): Promise<void> {
  const deadline = Date.now() + milliseconds
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`Waited ${milliseconds / 1_000} s and still not: ${what}`)
    await sleep(POLL_MS)
  }
}
