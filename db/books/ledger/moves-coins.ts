/** Says which journals change what lies on addresses, and on which side of an instant they were booked. */

import type { PendingQuery, Row } from 'postgres'
import type { Queryable } from '../../connect.js'

/**
 * Longest wait of a posting for its accounts. Its entries get their time after it, and count; its journal, whose time an
 * index has, gets it before.
 */
const LONGEST_POSTING = '1 hour'

/**
 * Returns the condition that `journal` has an entry on an address, which was booked before an instant or since then.
 * The type of the journal does not matter, so that no type can be forgotten.
 *
 * @param instant - Expression of a `timestamptz`.
 */
export function movesCoins(
  sql: Queryable,
  side: 'before' | 'since',
  instant: PendingQuery<Row[]>,
): PendingQuery<Row[]> {
  const [earliest, booked] =
    side === 'before'
      ? [sql`journal.recorded_at < ${instant}`, sql`entry.recorded_at < ${instant}`]
      : [
          sql`journal.recorded_at >= ${instant} - ${LONGEST_POSTING}::interval`,
          sql`entry.recorded_at >= ${instant}`,
        ]
  return sql`(
    ${earliest} AND EXISTS (
      SELECT FROM ledger_entries entry JOIN ledger_accounts account ON account.id = entry.account_id
      WHERE entry.journal_id = journal.id AND account.kind = 'chain' AND ${booked}
      -- OFFSET keeps this a search for each journal.
      OFFSET 0))`
}
