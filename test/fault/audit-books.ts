/**
 * Audits the books by themselves: rules that hold in them after any failure. Each violation is a line; a test
 * wants none.
 */

import type { Sql } from '../../db/connect.js'

/**
 * Finds journals that do not sum to zero, balances that are not their entries, gaps in versions, and amounts
 * that are still held.
 */
export async function findLedgerFaults(sql: Sql): Promise<string[]> {
  const unbalanced = await sql<{ id: bigint; network: string; coin: string; sum: bigint }[]>`
    SELECT entry.journal_id AS id, account.network, account.coin, sum(entry.amount) AS sum
    FROM ledger_entries entry JOIN ledger_accounts account ON account.id = entry.account_id
    GROUP BY entry.journal_id, account.merchant_id, account.network, account.coin HAVING sum(entry.amount) <> 0`
  const empty = await sql<{ id: bigint }[]>`
    SELECT id FROM ledger_journals journal
    WHERE NOT EXISTS (SELECT 1 FROM ledger_entries WHERE journal_id = journal.id)`
  const accounts = await sql<{ id: bigint; fault: string }[]>`
    SELECT account.id,
           concat_ws(', ',
             CASE WHEN account.balance <> coalesce(entry.sum, 0) THEN 'balance is not the sum of its entries' END,
             CASE WHEN account.version <> coalesce(entry.entries, 0) OR entry.first <> 1 OR entry.last <> entry.entries
                  THEN 'versions have a gap' END,
             CASE WHEN entry.wrong > 0 THEN 'balance_after is not the running sum' END,
             CASE WHEN account.kind = 'reserved' AND account.balance <> 0 THEN 'something is still reserved' END
           ) AS fault
    FROM ledger_accounts account
    LEFT JOIN (
      SELECT account_id, sum(amount) AS sum, count(*) AS entries, min(account_version) AS first, max(account_version) AS last,
             count(*) FILTER (WHERE balance_after <> running) AS wrong
      FROM (SELECT *, sum(amount) OVER (PARTITION BY account_id ORDER BY account_version) AS running FROM ledger_entries) AS entry
      GROUP BY account_id
    ) entry ON entry.account_id = account.id`
  return [
    ...unbalanced.map((each) => `journal ${each.id} is off by ${each.sum} ${each.coin} on ${each.network}`),
    ...empty.map((each) => `journal ${each.id} has no entries`),
    ...accounts.filter((each) => each.fault !== '').map((each) => `account ${each.id}: ${each.fault}`),
  ]
}

/**
 * Reads what each deposit added to its user's account, by its id: one credit, even if it was reversed in
 * between.
 */
export async function readCredits(sql: Sql): Promise<ReadonlyMap<string, bigint>> {
  const rows = await sql<{ id: string; credit: bigint }[]>`
    SELECT deposit.id, coalesce(-sum(entry.amount), 0) AS credit
    FROM deposits deposit
    JOIN ledger_journals journal ON journal.merchant_id = deposit.merchant_id AND journal.reference = deposit.id
    JOIN ledger_entries entry ON entry.journal_id = journal.id
    JOIN ledger_accounts account ON account.id = entry.account_id AND account.kind = 'available'
    GROUP BY deposit.id`
  return new Map(rows.map((row) => [row.id, row.credit]))
}

/** Reads what the ledger says each of our addresses holds, in each coin. 0 where no entry exists. */
export async function readHoldings(sql: Sql): Promise<
  readonly {
    readonly network: string
    readonly address: string
    readonly coin: string
    readonly amount: bigint
  }[]
> {
  return sql`
    SELECT address.network, address.address, rail.coin, coalesce(account.balance, 0) AS amount
    FROM addresses address
    JOIN merchant_rails rail ON rail.merchant_id = address.merchant_id AND rail.network = address.network
    LEFT JOIN ledger_accounts account
      ON account.merchant_id = address.merchant_id AND account.network = address.network AND account.coin = rail.coin
      AND account.kind = 'chain' AND account.owner = address.id
    ORDER BY address.network, address.address, rail.coin`
}
