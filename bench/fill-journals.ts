/** Fills the ledger with the deposits of a merchant's users, by SQL alone. */

import type { Sql } from '../db/connect.js'

const USERS = 1_000

/** Stores journals of two entries each: the first ten days of January 2026, of 1,000 users in turn. */
export async function fillJournals(sql: Sql, merchantId: string, journals: number): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`SET LOCAL session_replication_role = 'replica'`
    await tx`
      INSERT INTO ledger_accounts (merchant_id, network, coin, kind, owner, created_at)
      SELECT ${merchantId}, 'bitcoin', 'btc', kind, CASE kind WHEN 'chain' THEN 'addr_' ELSE 'user-' END || number,
             '2026-01-01'
      FROM unnest(ARRAY['chain', 'reserved']) kind, generate_series(0, ${USERS - 1}) number`
    await tx`
      INSERT INTO ledger_journals (merchant_id, idempotency_key, request_hash, type, reference, recorded_at)
      SELECT ${merchantId}, 'deposit:' || number, sha256(number::text::bytea), 'deposit.confirmed',
             'dep_' || md5(number::text), time
      FROM generate_series(0, ${journals - 1}) number,
           LATERAL (SELECT '2026-01-01'::timestamptz + number * interval '864000 seconds' / ${journals} AS time) at`
    await tx`
      INSERT INTO ledger_entries (account_id, account_version, journal_id, amount, balance_after, recorded_at)
      SELECT account.id, journal.number / ${USERS} + 1, journal.id, sign * 12345678,
             sign * 12345678::bigint * (journal.number / ${USERS} + 1), journal.recorded_at
      FROM (
        SELECT *, split_part(idempotency_key, ':', 2)::integer AS number FROM ledger_journals
        WHERE merchant_id = ${merchantId}
      ) journal
      JOIN ledger_accounts account
        ON account.merchant_id = ${merchantId}
        AND split_part(translate(account.owner, '_', '-'), '-', 2)::integer = journal.number % ${USERS},
        LATERAL (SELECT CASE account.kind WHEN 'chain' THEN 1 ELSE -1 END AS sign) side
      ORDER BY journal.number`
    await tx`
      UPDATE ledger_accounts account SET version = last.version, balance = last.balance
      FROM (
        SELECT DISTINCT ON (account_id) account_id, account_version AS version, balance_after AS balance
        FROM ledger_entries ORDER BY account_id, account_version DESC
      ) last
      WHERE last.account_id = account.id AND account.merchant_id = ${merchantId}`
  })
  await sql`VACUUM ANALYZE ledger_entries, ledger_journals, ledger_accounts`
}
