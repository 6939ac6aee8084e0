/** Makes one check of the ledger in one read-only snapshot of the database. */

import type { BooksCheckName } from '../../../domain/books/difference.js'
import type { Networks } from '../../../domain/chain/network.js'
import type { Sql } from '../../connect.js'
import { inSnapshot } from '../../in-snapshot.js'
import { type CheckResult, type ExamineOptions, examine } from './examine.js'

/** Limit of a statement, and of the wait between two. */
const LIMITS = { statementMs: 3_600_000, idleMs: 300_000 } as const

/**
 * Makes a check. All of its rows are of one snapshot, so that a change between two pages is no difference. A check
 * that was interrupted therefore begins again.
 */
export async function runCheck(
  sql: Sql,
  networks: Networks,
  merchantId: string,
  name: BooksCheckName,
  options: ExamineOptions,
): Promise<CheckResult> {
  let result: CheckResult | null = null
  await inSnapshot(sql, { ...LIMITS, signal: options.signal }, async (tx) => {
    result = await examine(tx, networks, merchantId, name, options)
  })
  if (!result) throw new Error(`The check ${name} has no result`)
  return result
}
