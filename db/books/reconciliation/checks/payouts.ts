/** Checks that every payout is settled in the books as its stage says, with the amount and the fee that left. */

import { SETTLED_PAYOUTS } from '../../../../domain/payouts/stage-sets.js'
import { MOVEMENT_KINDS } from '../../../../domain/payouts/treasury.js'
import { members } from '../../../members.js'
import { type BooksCheck, eachPage, PAGE, type Page } from './check.js'

interface Wrong {
  readonly id: string
  readonly network: string
  readonly coin: string
  readonly fee_coin: string
  readonly stage: string
  /** Type of the one journal that ends the payout, and of those that the books have, in a list. `null`: none. */
  readonly due_journal: string | null
  readonly journals: string | null
  /** Base units that left, by the payout and by the books. `null` where the payout does not say it. */
  readonly due: string | null
  readonly gone: string
  /** The same of the fee where another coin pays it. `null` where the same coin does. */
  readonly due_fee: string | null
  readonly gone_fee: string
}

/**
 * What left is the sum of the entries of addresses, so what comes back as change or arrives at an own wallet counts
 * off. Of a token that moves between own wallets only what its sender lost is compared: a token may take a fee.
 */
export const payouts: BooksCheck = {
  name: 'payouts',
  examine: (tx, { merchantId, amount }, findings) =>
    eachPage(
      '',
      (after) => tx<Page<string, Wrong>[]>`
        WITH page AS MATERIALIZED (
          SELECT id, network, coin, fee_coin, stage, amount, fee_payer, stage IN ${members(tx, SETTLED_PAYOUTS)} AS settled,
                 kind = ANY (${[...MOVEMENT_KINDS]}) AS moves, coalesce(fee, 0) AS fee,
                 CASE WHEN coin = fee_coin THEN coalesce(fee, 0) ELSE 0 END AS fee_in_coin
          FROM payouts WHERE merchant_id = ${merchantId} AND id > ${after} ORDER BY id LIMIT ${PAGE}
        ), ended AS (
          SELECT page.*, paid.sender, CASE
                   WHEN settled THEN 'withdrawal.settled'
                   WHEN stage = 'cancelled' AND paid.purpose = 'cancel' THEN 'withdrawal.cancelled' END AS due_journal,
                 CASE
                   WHEN stage <> 'confirmed' THEN fee_in_coin
                   WHEN moves THEN CASE WHEN coin = fee_coin THEN fee ELSE paid.amount END
                   WHEN fee_payer = 'sender' THEN page.amount + fee_in_coin
                   -- The fee came out of the amount, so the attempt says what the recipient got.
                   ELSE paid.amount + fee_in_coin END AS due
          FROM page LEFT JOIN LATERAL (
            SELECT purpose, amount, from_address_id AS sender FROM attempts
            WHERE payout_id = page.id AND state = 'final' LIMIT 1
          ) paid ON true
        ), compared AS (
          SELECT ended.*, booked.*
          FROM ended CROSS JOIN LATERAL (
            SELECT string_agg(journal.type, ', ' ORDER BY journal.id) AS journals, coalesce(sum(side.gone), 0) AS gone,
                   coalesce(sum(side.gone_fee), 0) AS gone_fee
            FROM ledger_journals journal CROSS JOIN LATERAL (
              SELECT -sum(entry.amount) FILTER (
                       WHERE account.coin = ended.coin
                         AND (NOT moves OR ended.coin = fee_coin OR account.owner = ended.sender)) AS gone,
                     -sum(entry.amount) FILTER (WHERE account.coin = fee_coin) AS gone_fee
              FROM ledger_entries entry JOIN ledger_accounts account ON account.id = entry.account_id
              WHERE entry.journal_id = journal.id AND account.kind = 'chain'
            ) side
            WHERE journal.merchant_id = ${merchantId} AND journal.reference = ended.id
              AND journal.type IN ('withdrawal.settled', 'withdrawal.cancelled')
              AND NOT EXISTS (SELECT FROM ledger_journals undo WHERE undo.reverses = journal.id)
          ) booked
        )
        SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(id) FROM page) AS last,
               (SELECT coalesce(jsonb_agg(jsonb_build_object(
                         'id', id, 'network', network, 'coin', coin, 'fee_coin', fee_coin, 'stage', stage,
                         'due_journal', due_journal, 'journals', journals, 'due', due::text, 'gone', gone::text,
                         'due_fee', CASE WHEN coin <> fee_coin THEN fee::text END, 'gone_fee', gone_fee::text)
                         ORDER BY id), '[]')
                FROM compared
                WHERE journals IS DISTINCT FROM due_journal
                   OR due_journal IS NOT NULL AND (due <> gone OR coin <> fee_coin AND fee <> gone_fee)) AS found`,
      (found) => {
        const { id, network, coin, fee_coin: feeCoin, due_journal: dueJournal, journals, due, gone } = found
        const common = { subject: { type: 'payout', id }, network, coin }
        if (journals !== dueJournal) {
          findings.differ({
            ...common,
            field: 'journals',
            expected: dueJournal,
            actual: journals,
            reason: `The books do not have the payout settled as its stage, ${found.stage}, says`,
          })
        } else if (due !== null && due !== gone) {
          findings.differ({
            ...common,
            field: 'amount',
            expected: amount(network, coin, due),
            actual: amount(network, coin, gone),
            reason: 'The books have another amount that left than the payout and its fee',
          })
        } else if (found.due_fee !== null) {
          findings.differ({
            ...common,
            coin: feeCoin,
            field: 'fee',
            expected: amount(network, feeCoin, found.due_fee),
            actual: amount(network, feeCoin, found.gone_fee),
            reason: 'The books have another fee that left than the payout',
          })
        }
      },
    ),
}
