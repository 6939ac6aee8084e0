/** Fills the ledger of a merchant with many entries at once, as years of business would. */

import type { Sql } from '../../db/connect.js'

let filled = 0

/**
 * Adds a journal with so many entries, half of them on an address and half of them of a user with a long name.
 * The balance of each entry follows from the one before.
 */
export async function fillLedger(sql: Sql, merchantId: string, entries: number): Promise<void> {
  const name = `fill-${++filled}-`.padEnd(200, 'x')
  await sql.begin(async (tx) => {
    // Without the checks of each entry, which would take minutes.
    await tx`SET LOCAL session_replication_role = 'replica'`
    await tx`
      WITH account AS (
        INSERT INTO ledger_accounts (merchant_id, network, coin, kind, owner)
        SELECT ${merchantId}, 'bitcoin', 'btc', kind, ${name} FROM unnest(ARRAY['chain', 'available']) kind
        RETURNING id, kind
      ), journal AS (
        INSERT INTO ledger_journals (merchant_id, idempotency_key, request_hash, type, reference, recorded_at)
        VALUES (${merchantId}, ${name}, '', 'fill', 'fill', now()) RETURNING id
      )
      INSERT INTO ledger_entries (account_id, account_version, journal_id, amount, balance_after, recorded_at)
      SELECT account.id, each, journal.id, sign, sign * each, clock_timestamp()
      FROM account, journal, generate_series(1, ${entries / 2}) each,
           LATERAL (SELECT CASE account.kind WHEN 'chain' THEN 1 ELSE -1 END AS sign) side`
  })
}
