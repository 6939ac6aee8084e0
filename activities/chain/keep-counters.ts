/**
 * Compares address counters with the chain beside the scan, or before it if a backup may have been restored.
 */

import type { Sql } from '../../db/connect.js'
import { hasUncomparedCounters } from '../../db/wallets/address-counters.js'
import type { Logger } from '../../telemetry/logger.js'

export interface CounterKeeper {
  /**
   * Starts the comparison if there is something to compare. If the database was restarted, it waits for the
   * end: addresses issued after a backup must be watched before the blocks that pay them are scanned.
   */
  step(): Promise<void>
}

/** Interval of looking for new accounts, and of trying again after a failure. */
const EVERY_MS = 10_000
/**
 * Interval of reported steps. The search for used addresses may take minutes on some nodes, and the loop that
 * waits for it does not hang.
 */
const STEP_MS = 10_000

/**
 * Creates the keeper. @param forward - Makes the comparison and resolves to the number of indexes left out.
 */
export function createCounterKeeper(
  sql: Sql,
  network: string,
  forward: () => Promise<number>,
  log: Logger,
  onStep: () => void,
): CounterKeeper {
  let running: Promise<void> | null = null
  let dueAt = 0
  let retryAt = 0

  async function run(): Promise<void> {
    try {
      const skipped = await forward()
      if (skipped > 0)
        log.warn({ network, skipped }, 'Address indexes that may have been given out were left out')
    } catch (error) {
      // The node is down or slow. The scan reports that better, and new addresses wait.
      retryAt = Date.now() + EVERY_MS
      log.warn(
        { network, err: error },
        'Address counters could not be compared with the chain; it is tried again',
      )
    } finally {
      dueAt = Date.now() + EVERY_MS
      running = null
    }
  }

  return {
    async step() {
      const uncompared = await hasUncomparedCounters(sql, network)
      const now = Date.now()
      if (!running && now >= retryAt && (uncompared || now >= dueAt)) running = run()
      if (!uncompared || !running) return
      const ticking = setInterval(onStep, STEP_MS)
      await running.finally(() => clearInterval(ticking))
    },
  }
}
