/** Handles payouts one by one, so that one that fails delays no other. */

import { inTransaction, type Sql, type Transaction } from '../connect.js'

/**
 * Handles each payout in a transaction of its own.
 *
 * @returns The ids of those that were changed.
 * @throws The first error, after each was tried.
 */
export async function serveEach(
  sql: Sql,
  rows: readonly { readonly id: string }[],
  serve: (tx: Transaction, id: string) => Promise<boolean>,
): Promise<string[]> {
  const served: string[] = []
  const failures: unknown[] = []
  for (const { id } of rows) {
    try {
      if (await inTransaction(sql, (tx) => serve(tx, id))) served.push(id)
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
  return served
}
