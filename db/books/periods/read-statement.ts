/** Reads what a window of time did to the coins of a merchant: the lines of a statement. */

import type { Window } from '../../../domain/books/period.js'
import type { Queryable } from '../../connect.js'

/** Line of a statement, in base units. opening + in − out − fees + transfers + adjustments = closing. */
export interface StatementUnits {
  readonly network: string
  readonly coin: string
  readonly opening: bigint
  readonly in: bigint
  readonly out: bigint
  readonly fees: bigint
  readonly transfers: bigint
  readonly adjustments: bigint
  readonly closing: bigint
}

/**
 * Sums what was booked on the merchant's addresses in the window, for each enabled coin and each other coin
 * that has an account. Deposits come in; withdrawals go out, less what the network took and what stayed at
 * another own address. All else is an adjustment: what a reorganisation took back, what a person booked, and
 * what was noted as belonging to an earlier period.
 *
 * An account that was not posted since the begin is not searched. Of the others, the entries of the window are
 * read once, by their primary key, and summed where they lie.
 */
export async function readStatement(
  sql: Queryable,
  merchantId: string,
  { from, to }: Window,
): Promise<StatementUnits[]> {
  return await sql<StatementUnits[]>`
    WITH window_of AS MATERIALIZED (
      SELECT account.id, account.network, account.coin, account.balance, account.updated_at >= ${from} AS moved,
             CASE WHEN account.updated_at >= ${from} THEN version_before(account.id, account.version, ${from}) END AS first,
             CASE WHEN account.updated_at >= ${to} THEN version_before(account.id, account.version, ${to})
                  ELSE account.version END AS last
      FROM ledger_accounts account
      WHERE account.merchant_id = ${merchantId} AND account.kind = 'chain' AND account.created_at < ${to}
    ), account AS MATERIALIZED (
      SELECT window_of.*,
             CASE WHEN NOT moved THEN balance ELSE coalesce((
               SELECT entry.balance_after FROM ledger_entries entry
               WHERE entry.account_id = window_of.id AND entry.account_version = window_of.first), 0) END AS opening
      FROM window_of
    ), line AS (
      SELECT account.network, account.coin,
             sum(account.opening) AS opening,
             coalesce(sum(change.deposited), 0) AS deposited, coalesce(sum(change.paid), 0) AS paid,
             coalesce(sum(change.fees), 0) AS fees, coalesce(sum(change.transfers), 0) AS transfers,
             coalesce(sum(change.adjustments), 0) AS adjustments
      FROM account
      LEFT JOIN LATERAL (
        SELECT sum(amount) FILTER (WHERE step = 'deposit') AS deposited,
               sum(-amount - fee - moved) FILTER (WHERE step = 'withdrawal' AND amount < 0) AS paid,
               sum(fee) FILTER (WHERE step = 'withdrawal' AND amount < 0) AS fees,
               sum(CASE WHEN amount < 0 AND step = 'withdrawal' THEN -moved ELSE amount END)
                 FILTER (WHERE step = 'transfer' OR step = 'withdrawal') AS transfers,
               sum(amount) FILTER (WHERE step = 'adjustment') AS adjustments
        FROM (
          SELECT entry.amount, coalesce(entry.fee, 0) AS fee, coalesce(entry.moved, 0) AS moved,
                 ${stepOf(sql, merchantId)} AS step
          FROM ledger_entries entry JOIN ledger_journals journal ON journal.id = entry.journal_id
          WHERE entry.account_id = account.id AND entry.account_version > account.first
            AND entry.account_version <= account.last
        ) each
      ) change ON account.moved
      GROUP BY account.network, account.coin
    ), rail AS (
      SELECT network, coin FROM merchant_rails WHERE merchant_id = ${merchantId}
    )
    SELECT network, coin, coalesce(opening, 0) AS opening, coalesce(deposited, 0) AS "in", coalesce(paid, 0) AS "out",
           coalesce(fees, 0) AS fees, coalesce(transfers, 0) AS transfers, coalesce(adjustments, 0) AS adjustments,
           coalesce(opening + deposited - paid - fees + transfers + adjustments, 0) AS closing
    FROM rail FULL JOIN line USING (network, coin)
    ORDER BY network, coin`
}

/** Returns the column of the statement to which a `journal` belongs. */
function stepOf(sql: Queryable, merchantId: string) {
  return sql`
    CASE WHEN journal.reverses IS NOT NULL
           OR journal.id IN (SELECT journal_id FROM standing_adjustments WHERE merchant_id = ${merchantId})
         THEN 'adjustment'
         WHEN journal.type LIKE 'deposit.%' THEN 'deposit'
         WHEN journal.type LIKE 'withdrawal.%' THEN 'withdrawal'
         WHEN journal.type LIKE 'transfer%' THEN 'transfer'
         ELSE 'adjustment' END`
}
