/** Checks that the totals of every account equal what its journals brought and took. */

import { accountName, type BooksCheck, eachPage, PAGE, type Page } from './check.js'

type AccountKey = readonly [network: string, coin: string, kind: string, owner: string]

const TOTALS = ['deposited', 'withdrawn', 'fees', 'transferred_in', 'transferred_out'] as const

interface Wrong {
  readonly network: string
  readonly coin: string
  readonly kind: string
  readonly owner: string
  /** Base units of each total: as its journals say, and as the account has it. */
  readonly counted: Readonly<Record<(typeof TOTALS)[number], string>>
  readonly kept: Readonly<Record<(typeof TOTALS)[number], string>>
}

/** The rules are those of `post_journals`, which keeps the totals. A reversal counts its journal off. */
export const totals: BooksCheck = {
  name: 'totals',
  examine: (tx, { merchantId, amount }, findings) =>
    eachPage(
      ['', '', '', ''] as AccountKey,
      ([network, coin, kind, owner]) => tx<Page<AccountKey, Wrong>[]>`
        WITH page AS MATERIALIZED (
          SELECT * FROM ledger_accounts
          WHERE merchant_id = ${merchantId} AND (network, coin, kind, owner) > (${network}, ${coin}, ${kind}, ${owner})
          ORDER BY network, coin, kind, owner LIMIT ${PAGE}
        ), counted AS (
          SELECT page.*, entry.*
          FROM page CROSS JOIN LATERAL (
            SELECT coalesce(sum(CASE page.kind WHEN 'chain' THEN amount ELSE -amount END) FILTER (WHERE is_deposit), 0)
                     AS all_deposited,
                   coalesce(sum(CASE page.kind WHEN 'chain' THEN -amount ELSE amount END - sign * (fee + moved))
                     FILTER (WHERE leaves), 0) AS all_withdrawn,
                   coalesce(sum(sign * fee) FILTER (WHERE leaves), 0) AS all_fees,
                   coalesce(sum(-amount) FILTER (WHERE is_transfer AND done < 0), 0)
                     + coalesce(sum(amount) FILTER (WHERE returns), 0) AS all_in,
                   coalesce(sum(amount) FILTER (WHERE is_transfer AND done > 0), 0)
                     + coalesce(sum(sign * moved) FILTER (WHERE leaves), 0) AS all_out
            FROM (
              SELECT amount, done, sign, fee, moved, is_deposit, is_transfer,
                     NOT is_deposit AND NOT is_transfer AND page.kind = 'chain' AND done > 0 AS returns,
                     NOT is_deposit AND NOT is_transfer AND NOT (page.kind = 'chain' AND done > 0) AS leaves
              FROM (
                SELECT entry.amount, coalesce(entry.fee, 0) AS fee, coalesce(entry.moved, 0) AS moved,
                       CASE WHEN journal.reverses IS NULL THEN 1 ELSE -1 END AS sign,
                       CASE WHEN journal.reverses IS NULL THEN entry.amount ELSE -entry.amount END AS done,
                       journal.type LIKE 'deposit.%' AS is_deposit, journal.type LIKE 'transfer%' AS is_transfer
                FROM ledger_entries entry JOIN ledger_journals journal ON journal.id = entry.journal_id
                WHERE entry.account_id = page.id AND page.kind <> 'network_fee'
              ) entry
            ) sorted
          ) entry
        )
        SELECT (SELECT count(*)::integer FROM page) AS rows,
               (SELECT jsonb_build_array(network, coin, kind, owner) FROM page
                ORDER BY network DESC, coin DESC, kind DESC, owner DESC LIMIT 1) AS last,
               (SELECT coalesce(jsonb_agg(jsonb_build_object(
                         'network', network, 'coin', coin, 'kind', kind, 'owner', owner,
                         'counted', jsonb_build_object(
                           'deposited', all_deposited::text, 'withdrawn', all_withdrawn::text, 'fees', all_fees::text,
                           'transferred_in', all_in::text, 'transferred_out', all_out::text),
                         'kept', jsonb_build_object(
                           'deposited', deposited::text, 'withdrawn', withdrawn::text, 'fees', fees::text,
                           'transferred_in', transferred_in::text, 'transferred_out', transferred_out::text))), '[]')
                FROM counted
                WHERE (deposited, withdrawn, fees, transferred_in, transferred_out)
                  <> (all_deposited, all_withdrawn, all_fees, all_in, all_out)) AS found`,
      (found) => {
        const { network, coin, counted, kept } = found
        const account = accountName(found.kind, found.owner)
        const field = TOTALS.find((each) => counted[each] !== kept[each]) ?? 'deposited'
        findings.differ({
          subject: { type: 'account', id: account },
          account,
          field,
          network,
          coin,
          expected: amount(network, coin, counted[field]),
          actual: amount(network, coin, kept[field]),
          reason: 'A total of the account is not what its journals brought and took',
        })
      },
    ),
}
