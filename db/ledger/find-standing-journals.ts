/** Which journals were posted about an object and still stand. */

import type { Queryable } from '../connect.js'

export interface FoundJournal {
  readonly id: bigint
  readonly type: string
  readonly idempotencyKey: string
}

/** Journals of `reference` that are neither reversals nor reversed, oldest first. */
export async function findStandingJournals(
  sql: Queryable,
  merchantId: string,
  reference: string,
): Promise<FoundJournal[]> {
  const rows = await sql<{ id: bigint; type: string; idempotency_key: string }[]>`
    SELECT journal.id, journal.type, journal.idempotency_key
    FROM ledger_journals journal
    WHERE journal.merchant_id = ${merchantId} AND journal.reference = ${reference} AND journal.reverses IS NULL
      AND NOT EXISTS (SELECT 1 FROM ledger_journals undo WHERE undo.reverses = journal.id)
    ORDER BY journal.id`
  return rows.map((row) => ({ id: row.id, type: row.type, idempotencyKey: row.idempotency_key }))
}
