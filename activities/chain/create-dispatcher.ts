/** Runs the dispatch beside the scan, one at a time, so that a slow Temporal server never delays a block. */

import type { Logger } from '../../telemetry/logger.js'

export interface Dispatcher {
  /** Requests a dispatch of everything that is pending now, and returns at once. */
  kick(): void
  /** Waits until no dispatch is under way. */
  idle(): Promise<void>
}

/**
 * Creates a dispatcher. @param dispatch - Delivers what is pending. If it throws, the next request tries
 * again.
 */
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
