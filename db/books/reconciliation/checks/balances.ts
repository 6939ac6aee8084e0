/** Checks that every balance equals its entries, which have gapless versions. */

import { accountName, type BooksCheck, eachPage, PAGE, type Page } from './check.js'

type AccountKey = readonly [network: string, coin: string, kind: string, owner: string]

interface Wrong {
  readonly network: string
  readonly coin: string
  readonly kind: string
  readonly owner: string
  /** Texts of base units and counts. */
  readonly balance: string
  readonly sum: string
  readonly version: string
  readonly entries: string
  /** Version of the first entry whose balance or version does not follow from those before it, and its place. */
  readonly broken: string | null
  readonly place: string | null
  readonly running: string | null
  readonly balance_after: string | null
}

export const balances: BooksCheck = {
  name: 'balances',
  examine: (tx, { merchantId, amount }, findings) =>
    eachPage(
      ['', '', '', ''] as AccountKey,
      ([network, coin, kind, owner]) => tx<Page<AccountKey, Wrong>[]>`
        WITH page AS MATERIALIZED (
          SELECT id, network, coin, kind, owner, balance, version FROM ledger_accounts
          WHERE merchant_id = ${merchantId} AND (network, coin, kind, owner) > (${network}, ${coin}, ${kind}, ${owner})
          ORDER BY network, coin, kind, owner LIMIT ${PAGE}
        ), counted AS (
          SELECT page.*, entry.*
          FROM page CROSS JOIN LATERAL (
            SELECT count(*) AS entries, coalesce(sum(amount), 0) AS sum,
                   min(account_version) FILTER (WHERE wrong) AS broken,
                   (array_agg(place ORDER BY account_version) FILTER (WHERE wrong))[1] AS place,
                   (array_agg(running ORDER BY account_version) FILTER (WHERE wrong))[1] AS running,
                   (array_agg(balance_after ORDER BY account_version) FILTER (WHERE wrong))[1] AS balance_after
            FROM (
              SELECT account_version, amount, balance_after, running, place,
                     balance_after <> running OR account_version <> place AS wrong
              FROM (
                SELECT account_version, amount, balance_after,
                       sum(amount) OVER (ORDER BY account_version) AS running,
                       row_number() OVER (ORDER BY account_version) AS place
                FROM ledger_entries WHERE account_id = page.id
              ) counted
            ) compared
          ) entry
        )
        SELECT (SELECT count(*)::integer FROM page) AS rows,
               (SELECT jsonb_build_array(network, coin, kind, owner) FROM page
                ORDER BY network DESC, coin DESC, kind DESC, owner DESC LIMIT 1) AS last,
               (SELECT coalesce(jsonb_agg(jsonb_build_object(
                         'network', network, 'coin', coin, 'kind', kind, 'owner', owner, 'balance', balance::text,
                         'sum', sum::text, 'version', version::text, 'entries', entries::text, 'broken', broken::text,
                         'place', place::text, 'running', running::text, 'balance_after', balance_after::text)), '[]')
                FROM counted WHERE balance <> sum OR version <> entries OR broken IS NOT NULL) AS found`,
      (found) => {
        const account = accountName(found.kind, found.owner)
        const subject = { type: 'account', id: account }
        const common = { subject, account, network: found.network, coin: found.coin }
        const units = (text: string | null) => amount(found.network, found.coin, text ?? '0')
        if (found.balance !== found.sum) {
          findings.differ({
            ...common,
            expected: units(found.sum),
            actual: units(found.balance),
            reason: 'The balance of the account is not the sum of its entries',
          })
        } else if (found.broken !== found.place) {
          findings.differ({
            ...common,
            field: 'entry',
            expected: found.place,
            actual: found.broken,
            reason: 'The version of an entry does not follow from that of the entry before it',
          })
        } else if (found.broken !== null) {
          findings.differ({
            ...common,
            field: `entry ${found.broken}`,
            expected: units(found.running),
            actual: units(found.balance_after),
            reason: 'The balance after an entry does not follow from the entries before it',
          })
        } else {
          findings.differ({
            ...common,
            field: 'version',
            expected: found.entries,
            actual: found.version,
            reason: 'The version of the account is not the number of its entries',
          })
        }
      },
    ),
}
