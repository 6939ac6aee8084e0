/** Moves what a ledger holds to other times, for tests of months that have ended. */

import type { Sql } from '../../db/connect.js'

/**
 * Gives journals the times that a test wants: entries and accounts follow. Of one account, later journals
 * must get later times, as a posting sees to.
 */
export async function dateJournals(sql: Sql, times: ReadonlyMap<bigint, Date>): Promise<void> {
  await sql.begin(async (tx) => {
    // Without the triggers that refuse each change of the ledger.
    await tx`SET LOCAL session_replication_role = 'replica'`
    for (const [journal, at] of times) {
      await tx`UPDATE ledger_journals SET recorded_at = ${at} WHERE id = ${journal}`
      await tx`UPDATE ledger_entries SET recorded_at = ${at} WHERE journal_id = ${journal}`
    }
    await tx`
      UPDATE ledger_accounts account SET updated_at = of.last, created_at = least(created_at, of.first)
      FROM (
        SELECT account_id, min(recorded_at) AS first, max(recorded_at) AS last FROM ledger_entries GROUP BY account_id
      ) of
      WHERE of.account_id = account.id`
  })
}
