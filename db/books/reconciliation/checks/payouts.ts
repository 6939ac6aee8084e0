/** Checks that every payout is settled in the books as its stage says. */

import { SETTLED_PAYOUTS } from '../../../../domain/payouts/stage-sets.js'
import { members } from '../../../members.js'
import { type BooksCheck, eachPage, PAGE, type Page } from './check.js'

interface Wrong {
  readonly id: string
  readonly network: string
  readonly coin: string
  readonly stage: string
  readonly settled: boolean
  readonly journals: number
  /** Base units that left, by the payout and by the books. `null` where the payout does not say it. */
  readonly due: string | null
  readonly left: string
}

export const payouts: BooksCheck = {
  name: 'payouts',
  examine: (tx, { merchantId, amount }, findings) =>
    eachPage(
      '',
      (after) => tx<Page<string, Wrong>[]>`
        WITH page AS MATERIALIZED (
          SELECT id, network, coin, stage, stage IN ${members(tx, SETTLED_PAYOUTS)} AS settled,
                 -- With the fee out of the amount, or between own wallets, other things are booked as well.
                 CASE WHEN stage = 'confirmed' AND kind IN ('withdrawal', 'batch_part') AND fee_payer = 'sender'
                   THEN amount + CASE WHEN coin = fee_coin THEN coalesce(fee, 0) ELSE 0 END END AS due
          FROM payouts WHERE merchant_id = ${merchantId} AND id > ${after} ORDER BY id LIMIT ${PAGE}
        ), compared AS (
          SELECT page.*, booked.*
          FROM page CROSS JOIN LATERAL (
            SELECT count(DISTINCT journal.id)::integer AS journals,
                   coalesce(-sum(entry.amount) FILTER (
                     WHERE account.kind = 'chain' AND account.coin = page.coin), 0) AS gone
            FROM ledger_journals journal
            LEFT JOIN ledger_entries entry ON entry.journal_id = journal.id
            LEFT JOIN ledger_accounts account ON account.id = entry.account_id
            WHERE journal.merchant_id = ${merchantId} AND journal.reference = page.id
              AND journal.type = 'withdrawal.settled'
              AND NOT EXISTS (SELECT FROM ledger_journals undo WHERE undo.reverses = journal.id)
          ) booked
        )
        SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(id) FROM page) AS last,
               (SELECT coalesce(jsonb_agg(jsonb_build_object(
                         'id', id, 'network', network, 'coin', coin, 'stage', stage, 'settled', settled,
                         'journals', journals, 'due', due::text, 'left', gone::text) ORDER BY id), '[]')
                FROM compared WHERE journals <> CASE WHEN settled THEN 1 ELSE 0 END OR due <> gone) AS found`,
      ({ id, network, coin, stage, settled, journals, due, left }) => {
        const common = { subject: { type: 'payout', id }, network, coin }
        if (journals !== (settled ? 1 : 0)) {
          findings.differ({
            ...common,
            field: 'journals',
            expected: settled ? '1' : '0',
            actual: String(journals),
            reason: `The books do not have the payout settled as its stage, ${stage}, says`,
          })
        } else if (due !== null) {
          findings.differ({
            ...common,
            field: 'amount',
            expected: amount(network, coin, due),
            actual: amount(network, coin, left),
            reason: 'The books have another amount that left than the payout and its fee',
          })
        }
      },
    ),
}
