/** Runs a transaction again that PostgreSQL gave up for the sake of another one. */

import { setTimeout as sleep } from 'node:timers/promises'
import { inTransaction, type Sql, type Transaction } from './connect.js'
import { errorCode } from './database-errors.js'

/** Codes of a deadlock and of a serialization failure. The whole transaction is undone, and may succeed at once. */
const GIVEN_UP: ReadonlySet<string> = new Set(['40P01', '40001'])
/** Times that a transaction is run. The order of locks (`db/README.md`) makes a second one rare. */
const MOST_RUNS = 4
/** Milliseconds before the second run. Chance doubles it at most, so that two that met do not meet again. */
const PAUSE_MS = 20

/**
 * Runs `work` in a transaction, as `inTransaction` does, and again after a deadlock or a serialization failure.
 *
 * @param work - Changes nothing but the database, so that it may be run more than once.
 */
export async function repeatTransaction<T>(sql: Sql, work: (tx: Transaction) => Promise<T>): Promise<T> {
  for (let run = 1; ; run++) {
    try {
      return await inTransaction(sql, work)
    } catch (error) {
      if (run === MOST_RUNS || !GIVEN_UP.has(errorCode(error))) throw error
      await sleep(PAUSE_MS * run * (1 + Math.random()))
    }
  }
}
