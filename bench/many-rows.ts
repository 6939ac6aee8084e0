/** Fills a database with many rows of one merchant, so that lists have what a large merchant's have. */

import type { Sql, Transaction } from '../db/connect.js'

/** The merchant who has the rows. */
export const LARGE = 'mer_large'
/** The time in the id of the first row, in milliseconds. One row follows a second later than the other. */
const FIRST = 1_700_000_000_000
const SECOND = 1_000
/** Users who share the rows. The first few rows of every list belong to others, so they are the last to be found. */
const USERS = 1_000

/** Returns the id of a row by its number. */
export function idOf(prefix: string, number: number): string {
  return `${prefix}_${(FIRST + number * SECOND).toString(16).padStart(12, '0')}7${'0'.repeat(19)}`
}

/** Returns the time of a row by its number. */
export function timeOf(number: number): Date {
  return new Date(FIRST + number * SECOND)
}

/**
 * Inserts a merchant with its addresses, deposits, withdrawals, movements, batches, transfers, audit entries
 * and events. The oldest three rows of each list have a user, a status and a coin that no others have.
 *
 * @param rows - Rows of each large list. Addresses, movements and batches are a tenth.
 */
export async function fillLists(sql: Sql, rows: number): Promise<void> {
  const large = ['addresses', 'deposits', 'payouts', 'batches', 'transfers', 'audit_log', 'events']
  await withoutIndexes(sql, large, (tx) => fill(tx, rows))
  await sql`ANALYZE`
}

/** Inserts into tables whose indexes are built afterwards, and whose rows no trigger checks: a tenth of the time. */
async function withoutIndexes(
  sql: Sql,
  tables: readonly string[],
  insert: (tx: Transaction) => Promise<void>,
): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`SET LOCAL session_replication_role = replica`
    await tx`SET LOCAL maintenance_work_mem = '512MB'`
    const indexes = await tx<{ name: string; definition: string }[]>`
      SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
      WHERE indrelid = ANY (${[...tables]}::text[]::regclass[])
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)`
    for (const { name } of indexes) await tx.unsafe(`DROP INDEX ${name}`)
    await insert(tx)
    for (const { definition } of indexes) await tx.unsafe(definition)
  })
}

async function fill(sql: Transaction, rows: number): Promise<void> {
  const tenth = Math.ceil(rows / 10)
  const id = (prefix: string) =>
    sql`${`${prefix}_`} || lpad(to_hex(${FIRST}::bigint + n * ${SECOND}), 12, '0') || '7' || repeat('0', 19)`
  const at = sql`to_timestamp((${FIRST}::bigint + n * ${SECOND}) / 1000.0)`
  const rare = <T extends string>(these: T, others: T) =>
    sql`CASE WHEN n <= 3 THEN ${these} ELSE ${others} END`
  const user = sql`CASE WHEN n <= 3 THEN 'rare' ELSE 'user-' || n % ${USERS} END`
  const network = rare('litecoin', 'bitcoin')
  const coin = rare('ltc', 'btc')
  await sql`INSERT INTO merchants (id, name) VALUES (${LARGE}, 'Large')`
  await sql`INSERT INTO merchant_rails VALUES (${LARGE}, 'bitcoin', 'btc'), (${LARGE}, 'litecoin', 'ltc')`
  await sql`
    INSERT INTO signers (id, merchant_id, name, version, identity_public_key, master_fingerprint, journal_head)
    VALUES ('sig_large', ${LARGE}, 's', '1', ${Buffer.alloc(32, 7)}, '00000000', '')`
  await sql`
    INSERT INTO key_accounts (id, merchant_id, signer_id, network, role, path, xpub)
    VALUES ('acc_bitcoin', ${LARGE}, 'sig_large', 'bitcoin', 'deposit', 'm/84h', 'xpub-large'),
           ('acc_litecoin', ${LARGE}, 'sig_large', 'litecoin', 'deposit', 'm/84h', 'xpub-large')`
  await sql`
    INSERT INTO addresses (id, merchant_id, network, kind, user_reference, address, payee, match_key, key_account_id, branch,
                           index, derivation_path, created_at)
    SELECT ${id('addr')}, ${LARGE}, ${network}, 'deposit', ${user}, 'address-' || n, decode(lpad(to_hex(n), 40, '0'), 'hex'), n,
           'acc_' || ${network}, 0, n, 'm', ${at}
    FROM generate_series(1, ${tenth}) n`
  await sql`
    INSERT INTO deposits (id, merchant_id, network, coin, address_id, user_reference, txid, output_index, amount, status,
                          block_number, required_confirmations, payment_id, history, detected_at, confirmed_at, credited_at,
                          workflow_started_at)
    SELECT ${id('dep')}, ${LARGE}, ${network}, ${coin}, address.id, ${user}, md5(n::text) || md5(n::text), 0, n,
           ${rare('held', 'success')}, n, 3, 'pay_' || n, jsonb_build_array(jsonb_build_object('status', 'detected', 'at', ${at}, 'cause', '')),
           ${at}, ${at} + interval '1 minute', ${at} + interval '2 minutes', ${at}
    FROM generate_series(1, ${rows}) n
    JOIN addresses address ON address.network = ${network} AND address.address = 'address-' || (1 + (n - 1) % ${tenth})`
  const payouts = (prefix: string, kind: string, count: number) => sql`
    INSERT INTO payouts (id, kind, merchant_id, external_id, user_reference, network, coin, amount, to_address, fee_coin, fee_estimate,
                         fee_limit, priority, stage, intent, intent_hash, initiator, approval_requirement, required_confirmations,
                         estimated_confirmation_at, expires_at, created_at, updated_at, confirmed_at, workflow_started_at)
    SELECT ${id(prefix)}, ${kind}, ${LARGE}, ${prefix} || n, ${user}, ${network}, ${coin}, n, 'address-' || n, ${coin}, 1, 1, 'normal',
           ${rare('pending_review', 'confirmed')}, '{}', '', 'api-key:x', '{}', 3, ${at}, ${at}, ${at}, ${at}, ${at}, ${at}
    FROM generate_series(1, ${count}) n`
  await payouts('withdrawal', 'withdrawal', rows)
  await payouts('mov', 'gas_funding', tenth)
  await sql`UPDATE payouts SET kind = 'rebalance' WHERE id <= ${idOf('mov', 3)} AND kind = 'gas_funding'`
  await sql`
    INSERT INTO batches (id, merchant_id, external_id, user_reference, network, coin, amount, item_count, priority, fee_coin,
                         fee_estimate, fee_limit, stage, status, intent, intent_hash, initiator, approval_requirement, expires_at,
                         created_at, workflow_started_at)
    SELECT ${id('batch')}, ${LARGE}, 'batch' || n, ${user}, ${network}, ${coin}, n, 1, 'normal', ${coin}, 1, 1, 'completed',
           ${rare('failed', 'confirmed')}, '{}', '', 'api-key:x', '{}', ${at}, ${at}, ${at}
    FROM generate_series(1, ${tenth}) n`
  await sql`
    INSERT INTO transfers (id, merchant_id, external_id, from_user_reference, to_user_reference, network, coin, amount,
                           amount_text, reason, created_at)
    SELECT ${id('trf')}, ${LARGE}, 'transfer' || n, ${user}, 'shop-' || n % 7, ${network}, ${coin}, n, '1', 'r', ${at}
    FROM generate_series(1, ${rows}) n`
  await sql`
    INSERT INTO audit_log (merchant_id, at, actor, action, subject, sequence, previous, hash)
    SELECT ${LARGE}, ${at}, ${rare('person:rare', 'api-key:x')}, ${rare('rare.done', 'deposit.credited')}, 'dep_' || n, n, '', ''
    FROM generate_series(1, ${rows}) n`
  await sql`
    INSERT INTO events (id, merchant_id, type, subject, occurred_at, data, sequence, body)
    SELECT ${id('evt')}, ${LARGE}, 'webhook.test', 'x', ${at}, '{}', n, '{}' FROM generate_series(1, ${rows}) n`
}

/** Gives the merchant's own account as many entries of one base unit each, a second after the other. */
export async function fillAccount(sql: Sql, entries: number): Promise<void> {
  await sql`
    INSERT INTO ledger_accounts (merchant_id, network, coin, kind, owner, balance, version, created_at, updated_at)
    VALUES (${LARGE}, 'bitcoin', 'btc', 'available', '', ${-entries}, ${entries}, ${timeOf(0)}, ${timeOf(entries)})`
  // The checks at the commit would read each entry again.
  await withoutIndexes(sql, ['ledger_entries'], async (tx) => {
    await tx`
      INSERT INTO ledger_journals (merchant_id, idempotency_key, request_hash, type, reference, recorded_at)
      VALUES (${LARGE}, 'all', '', 'transfer', 'all', now())`
    await tx`
      INSERT INTO ledger_entries (account_id, account_version, journal_id, amount, balance_after, recorded_at)
      SELECT account.id, n, journal.id, -1, -n, to_timestamp(${FIRST}::float8 / 1000 + n)
      FROM generate_series(1, ${entries}) n, ledger_accounts account, ledger_journals journal
      WHERE account.merchant_id = ${LARGE} AND account.owner = '' AND journal.idempotency_key = 'all'`
  })
  await sql`ANALYZE`
}
