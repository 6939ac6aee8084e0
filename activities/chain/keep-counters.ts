/** Runs the comparison of address counters with the chain beside the scan, or before it where a backup may have been restored. */

import type { Sql } from '../../db/connect.js'
import { hasUncomparedCounters } from '../../db/wallets/address-counters.js'
import type { Logger } from '../../telemetry/logger.js'

export interface CounterKeeper {
  /**
   * Looks whether something is to be compared. Where the database was started again it waits for the end: what was given out
   * after a backup must be watched before the blocks that pay it are scanned.
   */
  step(): Promise<void>
}

/** How often accounts that are new are looked for, and how soon a failure is tried again. */
const EVERY_MS = 10_000
/** The search for used addresses may take minutes on some nodes; the loop that waits for it does not hang. */
const STEP_MS = 10_000

/** @param forward - Compares what is to be compared; resolves to how many indexes were left out. */
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
      // The node is down, or slow: scanning says so better, and new addresses wait.
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
