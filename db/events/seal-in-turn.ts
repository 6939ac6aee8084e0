/** Seals a batch or, where the batch fails as a whole, its rows one by one, so that one row cannot keep the others from it. */

import { errorCode, isPassing } from '../database-errors.js'

/** Rows sealed in one transaction: enough to keep up, small enough to hold no lock for long. */
const BATCH = 500

export interface Sealing {
  /** Seals at most so many rows in one transaction. @returns How many it took up. */
  readonly seal: (most: number) => Promise<number>
  /** Puts off the row that a batch of one would begin with. */
  readonly putOffFirst: (error: unknown) => Promise<void>
}

/**
 * @returns How many rows were taken up; fewer than a full batch means that nothing is left.
 * @throws What says that the database is away or busy.
 */
export async function sealInTurn({ seal, putOffFirst }: Sealing): Promise<number> {
  try {
    return await seal(BATCH)
  } catch (error) {
    if (isNotOfARow(error)) throw error
  }
  let taken = 0
  for (; taken < BATCH; taken++) {
    try {
      if ((await seal(1)) === 0) break
    } catch (error) {
      if (isNotOfARow(error)) throw error
      await putOffFirst(error)
    }
  }
  return taken
}

/** The database is away or busy, or an older process, which has another lock, gave out the same number (23505). */
function isNotOfARow(error: unknown): boolean {
  return isPassing(error) || errorCode(error) === '23505'
}
