/** Names the block at which books and chain are compared, and what of the ledger counts later. */

import type { PendingQuery, Row } from 'postgres'
import type { Queryable, Sql, Transaction } from '../connect.js'
import { inSnapshot } from '../in-snapshot.js'

/** Books of a merchant on a network, as of a scanned block. */
export interface BooksAt {
  readonly merchantId: string
  readonly network: string
  readonly height: number
}

/** Limits of one statement, which may read all outputs of a merchant, and of the wait for the next. */
const LIMITS = { statementMs: 3_600_000, idleMs: 300_000 } as const

/** Reads in one snapshot, which sees nothing that is written meanwhile. @returns What `work` returns. */
export async function readSnapshot<T>(sql: Sql, work: (tx: Transaction) => Promise<T>): Promise<T> {
  const results: T[] = []
  await inSnapshot(sql, LIMITS, async (tx) => {
    results.push(await work(tx))
  })
  return results[0] as T
}

/**
 * Returns account and sum of the entries that count after the block, for `JOIN`. Journals that a reorganisation
 * reversed, and their reversals, sum to zero.
 */
export function entriesAfter(sql: Queryable, { merchantId, network, height }: BooksAt): PendingQuery<Row[]> {
  return sql`
    SELECT entry.account_id, sum(entry.amount) AS amount
    FROM ledger_journals journal JOIN ledger_entries entry ON entry.journal_id = journal.id
    WHERE journal.merchant_id = ${merchantId} AND journal.network = ${network} AND journal.height > ${height}
      AND journal.reverses IS NULL
      AND NOT EXISTS (SELECT FROM ledger_journals undo WHERE undo.reverses = journal.id)
    GROUP BY entry.account_id`
}

/** Returns the condition on `own`, an attempt, that it was mined up to the block and the ledger has not booked it. */
export function isUnbooked(sql: Queryable, { merchantId, network, height }: BooksAt): PendingQuery<Row[]> {
  return sql`own.merchant_id = ${merchantId} AND own.network = ${network} AND own.state = 'mined'
    AND own.block_number <= ${height}`
}
