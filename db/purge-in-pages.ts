/** Deletes old rows that may be many: page by page, in one process at a time, and never for long. */

import { json, type Sql, type Transaction } from './connect.js'
import { repeatTransaction } from './repeat-transaction.js'

/** Time after which a call leaves the other pages to the next call. */
const ENOUGH_MS = 10_000
/** Pause after the last page, because a pass reads all that is old. */
const PAUSE_MS = 3_600_000

/** What a page did. */
export interface PurgedPage<Place> {
  readonly purged: number
  /** After which row the next page begins. Null: this was the last page. */
  readonly next: Place | null
}

/**
 * Deletes pages until the time is up, the last one is deleted or another process deletes one. A page and the place
 * of the next one are committed together, so a crash or an error repeats no page and skips none. After the last page
 * nothing is due for an hour.
 *
 * @param name - Row of `purges`.
 * @param page - Deletes one page and changes nothing but the database.
 * @param enoughMs - Time after which no further page begins.
 * @returns How many rows were deleted.
 */
export async function purgeInPages<Place>(
  sql: Sql,
  name: 'orders' | 'runs',
  page: (tx: Transaction, after: Place | null) => Promise<PurgedPage<Place>>,
  enoughMs = ENOUGH_MS,
): Promise<number> {
  const end = performance.now() + enoughMs
  for (let purged = 0; ; ) {
    const done = await repeatTransaction(sql, async (tx) => {
      const [turn] = await tx<{ place: Place | null }[]>`
        SELECT place FROM purges WHERE name = ${name} AND due_at <= clock_timestamp() FOR UPDATE SKIP LOCKED`
      if (!turn) return null
      const result = await page(tx, turn.place)
      await (result.next
        ? tx`UPDATE purges SET place = ${json(tx, result.next)} WHERE name = ${name}`
        : tx`
            UPDATE purges SET place = NULL, due_at = clock_timestamp() + ${PAUSE_MS} * interval '1 millisecond'
            WHERE name = ${name}`)
      return result
    })
    purged += done?.purged ?? 0
    if (!done?.next || performance.now() >= end) return purged
  }
}
