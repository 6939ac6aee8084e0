/** Runs the dispatch beside the scan, one at a time, so that a slow Temporal server never holds a block up. */

import type { Logger } from '../../telemetry/logger.js'

export interface Dispatcher {
  /** Asks for a dispatch of everything pending now; returns at once. */
  kick(): void
  /** Waits until none is under way. */
  idle(): Promise<void>
}

/** @param dispatch - Delivers what is pending; when it throws, the next kick tries again. */
export function createDispatcher(dispatch: () => Promise<unknown>, log: Logger): Dispatcher {
  let running: Promise<void> | null = null
  let again = false
  const run = async () => {
    do {
      again = false
      try {
        await dispatch()
      } catch (error) {
        log.warn({ err: error }, 'Starting or signalling workflows failed; it is tried again')
      }
    } while (again)
    running = null
  }
  return {
    kick() {
      if (running) again = true
      else running = run()
    },
    async idle() {
      await running
    },
  }
}
