/** Repeats a step once a second, whether or not it fails, as a wallet does that sends its bytes again. */

import { setTimeout as sleep } from 'node:timers/promises'

const PAUSE_MS = 1_000

export interface Repetition {
  readonly stopping: AbortSignal
  /** Stops, and waits for the step that runs. */
  stop(): Promise<void>
}

/** Starts repeating `step`. */
export function repeatUntilStopped(step: () => Promise<void>): Repetition {
  const stopping = new AbortController()
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await step().catch(() => {})
      await sleep(PAUSE_MS, undefined, { signal: stopping.signal }).catch(() => {})
    }
  })()
  return {
    stopping: stopping.signal,
    async stop() {
      stopping.abort()
      await running
    },
  }
}
