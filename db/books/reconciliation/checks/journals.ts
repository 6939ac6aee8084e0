/** Checks that every journal sums to zero for each coin. */

import { type BooksCheck, eachPage, PAGE, type Page } from './check.js'

interface Unbalanced {
  readonly id: string
  readonly network: string
  readonly coin: string
  readonly sum: string
}

export const journals: BooksCheck = {
  name: 'journals',
  examine: (tx, { merchantId, amount }, findings) =>
    eachPage(
      '',
      (after) => tx<Page<string, Unbalanced>[]>`
        WITH page AS MATERIALIZED (
          SELECT id, idempotency_key FROM ledger_journals
          WHERE merchant_id = ${merchantId} AND idempotency_key > ${after}
          ORDER BY idempotency_key LIMIT ${PAGE}
        ), unbalanced AS (
          SELECT page.id::text, sums.network, sums.coin, sums.sum::text
          FROM page CROSS JOIN LATERAL (
            SELECT account.network, account.coin, sum(entry.amount) AS sum
            FROM ledger_entries entry JOIN ledger_accounts account ON account.id = entry.account_id
            WHERE entry.journal_id = page.id
            GROUP BY account.network, account.coin HAVING sum(entry.amount) <> 0
          ) sums
        )
        SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(idempotency_key) FROM page) AS last,
               (SELECT coalesce(jsonb_agg(unbalanced), '[]') FROM unbalanced) AS found`,
      ({ id, network, coin, sum }) =>
        findings.differ({
          subject: { type: 'journal', id },
          network,
          coin,
          expected: '0',
          actual: amount(network, coin, sum),
          reason: 'The entries of the journal do not sum to zero',
        }),
    ),
}
