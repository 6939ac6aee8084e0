/** Says which journals change what lies on addresses. */

import type { PendingQuery, Row } from 'postgres'
import type { Queryable } from '../../connect.js'

/**
 * Returns the condition that `journal` has an entry on an address, and that `which` holds of this `entry`. The type of
 * the journal does not matter, so that no type can be forgotten. A journal that was reversed, and its reversal, change
 * nothing together, and do not count.
 */
export function movesCoins(sql: Queryable, which: PendingQuery<Row[]>): PendingQuery<Row[]> {
  return sql`(
    journal.reverses IS NULL
    AND NOT EXISTS (SELECT FROM ledger_journals undo WHERE undo.reverses = journal.id)
    AND EXISTS (
      SELECT FROM ledger_entries entry JOIN ledger_accounts account ON account.id = entry.account_id
      WHERE entry.journal_id = journal.id AND account.kind = 'chain' AND ${which}
      -- OFFSET keeps this a search for each journal.
      OFFSET 0))`
}
