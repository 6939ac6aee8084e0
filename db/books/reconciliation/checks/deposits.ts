/**
 * Checks that every deposit is booked as its status says, and that no journal credits what is no deposit. This
 * compares amounts by kind of account. The check `journals` compares whose accounts they are.
 */

import { PENDING_DEPOSITS, RESERVED_DEPOSITS } from '../../../../domain/deposits/deposit-sets.js'
import { members } from '../../../members.js'
import { type BooksCheck, eachPage, PAGE, type Page } from './check.js'

/** Kinds of accounts, in the order in which a deposit reaches them. */
const KINDS = ['chain', 'reserved', 'available'] as const

interface Booked {
  readonly id: string
  readonly network: string
  readonly coin: string
  readonly amount: string
  readonly status: string
  readonly pending: boolean
  /** Base units that the books should have, and have, of the deposit. */
  readonly due: Readonly<Record<(typeof KINDS)[number], string>>
  readonly booked: Readonly<Record<(typeof KINDS)[number], string>>
}

interface Ghost {
  readonly id: string
  readonly reference: string
  readonly network: string
  readonly coin: string
  readonly amount: string
}

export const deposits: BooksCheck = {
  name: 'deposits',
  async *examine(tx, { merchantId, amount }, findings) {
    yield* eachPage(
      '',
      (after) => tx<Page<string, Booked>[]>`
        WITH page AS MATERIALIZED (
          SELECT id, network, coin, amount, status,
                 status IN ${members(tx, PENDING_DEPOSITS)} AS pending,
                 status IN ${members(tx, RESERVED_DEPOSITS)} AS held, status = 'success' AS credited,
                 refunded_by IS NOT NULL AS refunded
          FROM deposits WHERE merchant_id = ${merchantId} AND id > ${after} ORDER BY id LIMIT ${PAGE}
        ), compared AS (
          SELECT page.*, booked.*, CASE WHEN held OR credited THEN amount ELSE 0 END AS due_chain,
                 CASE WHEN held AND NOT refunded THEN amount ELSE 0 END AS due_reserved,
                 -- What was paid back is the merchant's own.
                 CASE WHEN credited OR refunded THEN amount ELSE 0 END AS due_available
          FROM page CROSS JOIN LATERAL (
            SELECT coalesce(sum(entry.amount) FILTER (WHERE account.kind = 'chain'), 0) AS booked_chain,
                   coalesce(-sum(entry.amount) FILTER (WHERE account.kind = 'reserved'), 0) AS booked_reserved,
                   coalesce(-sum(entry.amount) FILTER (WHERE account.kind = 'available'), 0) AS booked_available
            FROM ledger_journals journal
            JOIN ledger_entries entry ON entry.journal_id = journal.id
            JOIN ledger_accounts account ON account.id = entry.account_id
            WHERE journal.merchant_id = ${merchantId} AND journal.reference = page.id
              AND journal.type LIKE 'deposit.%' AND account.coin = page.coin
          ) booked
        )
        SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(id) FROM page) AS last,
               (SELECT coalesce(jsonb_agg(jsonb_build_object(
                         'id', id, 'network', network, 'coin', coin, 'amount', amount::text, 'status', status,
                         'pending', pending,
                         'due', jsonb_build_object(
                           'chain', due_chain::text, 'reserved', due_reserved::text, 'available', due_available::text),
                         'booked', jsonb_build_object(
                           'chain', booked_chain::text, 'reserved', booked_reserved::text,
                           'available', booked_available::text)) ORDER BY id), '[]')
                FROM compared
                WHERE pending
                   OR (due_chain, due_reserved, due_available) <> (booked_chain, booked_reserved, booked_available)
               ) AS found`,
      (found) => {
        const { id, network, coin, due, booked } = found
        const common = { subject: { type: 'deposit', id }, network, coin }
        const kind = KINDS.find((each) => due[each] !== booked[each])
        if (kind !== undefined) {
          findings.differ({
            ...common,
            field: kind,
            expected: amount(network, coin, due[kind]),
            actual: amount(network, coin, booked[kind]),
            reason: `The books do not have the deposit as its status, ${found.status}, says`,
          })
        } else if (found.pending) {
          findings.expect({
            ...common,
            expected: amount(network, coin, found.amount),
            actual: '0',
            reason: 'The deposit is not confirmed yet',
          })
        }
      },
    )
    yield* eachPage(
      '',
      (after) => tx<Page<string, Ghost>[]>`
        WITH page AS MATERIALIZED (
          SELECT id, idempotency_key, type, reference FROM ledger_journals
          WHERE merchant_id = ${merchantId} AND idempotency_key > ${after}
          ORDER BY idempotency_key LIMIT ${PAGE}
        ), ghost AS (
          SELECT page.id::text, page.reference, account.network, account.coin, sum(abs(entry.amount))::text AS amount
          FROM page
          JOIN ledger_entries entry ON entry.journal_id = page.id AND entry.amount < 0
          JOIN ledger_accounts account ON account.id = entry.account_id
          -- Rises of balances are no deposits. The check of journals compares them with their causes.
          WHERE page.type LIKE 'deposit.%' AND page.type NOT IN ('deposit.rise_booked', 'deposit.rise_reverted')
            AND NOT EXISTS (
            SELECT FROM deposits WHERE deposits.id = page.reference AND deposits.merchant_id = ${merchantId})
          GROUP BY page.id, page.reference, account.network, account.coin
        )
        SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(idempotency_key) FROM page) AS last,
               (SELECT coalesce(jsonb_agg(ghost), '[]') FROM ghost) AS found`,
      ({ id, reference, network, coin, amount: units }) =>
        findings.differ({
          subject: { type: 'journal', id },
          network,
          coin,
          expected: null,
          actual: amount(network, coin, units),
          reason: `The journal books the deposit ${reference}, which does not exist`,
        }),
    )
  },
}
