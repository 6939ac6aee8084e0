/** Reads what the check `journals` finds in the books as a test left them. */

import { runCheck } from '../../db/books/reconciliation/run-check.js'
import { rememberCoins } from '../../db/chain/remember-coins.js'
import type { Sql } from '../../db/connect.js'
import type { Networks } from '../../domain/chain/network.js'

/**
 * Returns the types of the journals without a cause, each once, and the subjects whose journal is missing as
 * `type id`. Types `test.…`, by which tests bring money into the books, are left out.
 */
export async function uncausedJournals(sql: Sql, networks: Networks): Promise<string[]> {
  await rememberCoins(sql, networks)
  const found = new Set<string>()
  for (const { merchant } of await sql<{ merchant: string }[]>`
    SELECT DISTINCT merchant_id AS merchant FROM ledger_journals`) {
    const { findings } = await runCheck(sql, networks, merchant, 'journals', { networks: null })
    for (const { subject } of findings.differences) {
      const [journal] =
        subject.type === 'journal'
          ? await sql<{ type: string }[]>`SELECT type FROM ledger_journals WHERE id = ${subject.id}`
          : []
      found.add(journal?.type ?? `${subject.type} ${subject.id}`)
    }
  }
  return [...found].filter((each) => !each.startsWith('test.')).sort()
}
