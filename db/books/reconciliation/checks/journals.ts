/**
 * Checks that every journal sums to zero for each coin and has its cause, and that every cause has its journal.
 *
 * The cause is the row that the journal was posted for: a deposit, payout, batch, transfer, dispute, approved
 * resolution, foreign spend, rise or fall of a balance. Amounts of deposits and payouts are compared by the checks
 * `deposits`, `payouts` and `holds`, which know what each status books. This check compares whose accounts they move.
 */

import { type BooksCheck, eachPage, PAGE, type Page } from './check.js'

interface Wrong {
  readonly id: string
  readonly type: string
  readonly reference: string
  readonly network: string
  readonly coin: string
  /** Sum of the entries of the coin, in base units. */
  readonly sum: string
  /** What the entries move from one account to another, in base units. */
  readonly moved: string
}

interface Unbooked {
  readonly id: string
  readonly subject: string
  readonly network: string
  readonly coin: string
  readonly amount: string | null
}

export const journals: BooksCheck = {
  name: 'journals',
  async *examine(tx, { merchantId, amount, caip2 }, findings) {
    yield* eachPage(
      '',
      (after) => tx<Page<string, Wrong>[]>`
        WITH page AS MATERIALIZED (
          SELECT id, idempotency_key AS key, type, reference, reverses FROM ledger_journals
          WHERE merchant_id = ${merchantId} AND idempotency_key > ${after}
          ORDER BY idempotency_key LIMIT ${PAGE}
        ), entry AS NOT MATERIALIZED (
          -- Each use of it reads the entries of one journal by their index.
          SELECT entry.journal_id AS journal, account.network, account.coin, account.kind, account.owner, entry.amount
          FROM ledger_entries entry JOIN ledger_accounts account ON account.id = entry.account_id
        ), sums AS (
          SELECT journal, network, coin, sum(amount) AS sum, coalesce(sum(amount) FILTER (WHERE amount > 0), 0) AS moved
          FROM page JOIN entry ON entry.journal = page.id GROUP BY journal, network, coin
        ), judged AS (
          SELECT page.*, CASE
            WHEN page.reverses IS NOT NULL THEN EXISTS (
              SELECT FROM ledger_journals undone
              WHERE undone.id = page.reverses AND undone.merchant_id = ${merchantId}
                AND undone.reference = page.reference
                AND CASE page.type
                  WHEN 'deposit.reverted' THEN undone.type IN ('deposit.confirmed', 'deposit.success', 'deposit.refunded')
                  WHEN 'deposit.refund_reverted' THEN undone.type = 'deposit.refunded'
                  WHEN 'deposit.rise_reverted' THEN undone.type = 'deposit.rise_booked'
                  WHEN 'withdrawal.reopened' THEN
                    undone.type IN ('withdrawal.settled', 'withdrawal.cancelled', 'withdrawal.released')
                  WHEN 'exception.released' THEN undone.type = 'exception.held'
                  WHEN 'foreign_spend.reverted' THEN undone.type = 'foreign_spend.booked'
                  WHEN 'foreign_spend.reclaimed' THEN undone.type = 'foreign_spend.booked'
                  WHEN 'balance_fall.reverted' THEN undone.type = 'balance_fall.booked'
                  ELSE false END
            ) AND NOT EXISTS (
              -- It mirrors every entry.
              SELECT FROM ledger_entries both_sides
              WHERE both_sides.journal_id IN (page.id, page.reverses)
              GROUP BY both_sides.account_id HAVING sum(both_sides.amount) <> 0)
            WHEN page.type IN ('deposit.confirmed', 'deposit.success', 'deposit.refunded') THEN
              -- A deposit that does not exist is found by the check of deposits.
              NOT EXISTS (
                SELECT FROM deposits deposit JOIN entry ON entry.journal = page.id
                WHERE deposit.id = page.reference AND deposit.merchant_id = ${merchantId}
                  AND ((entry.network, entry.coin) <> (deposit.network, deposit.coin) OR NOT CASE page.type
                    WHEN 'deposit.confirmed' THEN (entry.kind, entry.owner) IN
                      (('chain', deposit.address_id), ('reserved', coalesce(deposit.user_reference, '')))
                    WHEN 'deposit.success' THEN entry.kind IN ('reserved', 'available')
                      AND entry.owner = coalesce(deposit.user_reference, '')
                    ELSE (entry.kind, entry.owner) IN
                      (('reserved', coalesce(deposit.user_reference, '')), ('available', '')) END))
            WHEN page.type IN ('withdrawal.held', 'withdrawal.released', 'withdrawal.settled', 'withdrawal.cancelled') THEN
              EXISTS (
                SELECT FROM (
                  SELECT network, coin, fee_coin, user_reference FROM payouts
                  WHERE id = page.reference AND merchant_id = ${merchantId}
                  UNION ALL
                  -- A batch only holds and releases. Its parts settle.
                  SELECT network, coin, fee_coin, user_reference FROM batches
                  WHERE id = page.reference AND merchant_id = ${merchantId}
                    AND page.type IN ('withdrawal.held', 'withdrawal.released')
                ) payout
                WHERE NOT EXISTS (
                  SELECT FROM entry
                  WHERE entry.journal = page.id
                    AND (entry.network <> payout.network OR entry.coin NOT IN (payout.coin, payout.fee_coin)
                      OR entry.kind <> 'chain' AND entry.owner NOT IN (coalesce(payout.user_reference, ''), '')
                      OR entry.kind = 'chain' AND page.type IN ('withdrawal.held', 'withdrawal.released'))))
              AND NOT EXISTS (
                -- What is held or released stays its owner's, and no one gains by what left.
                SELECT FROM entry WHERE entry.journal = page.id AND entry.kind IN ('available', 'reserved')
                GROUP BY entry.network, entry.coin, entry.owner
                HAVING sum(entry.amount) < 0
                  OR page.type IN ('withdrawal.held', 'withdrawal.released') AND sum(entry.amount) <> 0)
            WHEN page.type = 'transfer' THEN EXISTS (
              SELECT FROM transfers cause
              WHERE cause.id = page.reference AND cause.merchant_id = ${merchantId} AND cause.journal_id = page.id
                AND NOT EXISTS (
                  SELECT FROM (SELECT * FROM entry WHERE entry.journal = page.id) own FULL JOIN (VALUES
                    (cause.network, cause.coin, 'available', coalesce(cause.from_user_reference, ''), cause.amount),
                    (cause.network, cause.coin, 'available', coalesce(cause.to_user_reference, ''), -cause.amount)
                  ) due (network, coin, kind, owner, amount) USING (network, coin, kind, owner, amount)
                  WHERE (due IS NULL) <> (own IS NULL)))
            WHEN page.type IN (
              'transfer.credit', 'transfer.re_attribute', 'exception.written_off', 'deposit.rise_booked'
            ) THEN EXISTS (
              SELECT FROM control_changes change JOIN exceptions exception ON exception.id = change.intent ->> 'exception'
              CROSS JOIN LATERAL (SELECT (change.intent ->> 'amount')::numeric AS amount) signed
              WHERE change.id = split_part(page.key, ':', 3) AND change.merchant_id = ${merchantId}
                AND change.kind = 'exception_resolution' AND change.state = 'effective'
                AND exception.id = page.reference AND exception.merchant_id = ${merchantId}
                AND exception.status = 'resolved' AND exception.resolution = change.intent ->> 'resolution'
                AND page.key = 'exception:' || exception.id || ':' || change.id
                AND page.type = CASE change.intent ->> 'resolution'
                  WHEN 'credit' THEN CASE WHEN change.intent ->> 'address_id' IS NULL THEN 'transfer.credit'
                    ELSE 'deposit.rise_booked' END
                  WHEN 're_attribute' THEN 'transfer.re_attribute' ELSE 'exception.written_off' END
                AND NOT EXISTS (
                  SELECT FROM (
                    -- A network that left the configuration has no identifier to compare.
                    SELECT entry.*, coalesce(known.caip2, change.intent ->> 'network') AS caip2
                    FROM entry LEFT JOIN unnest(${[...caip2.keys()]}::text[], ${[...caip2.values()]}::text[])
                      AS known (network, caip2) ON known.network = entry.network
                    WHERE entry.journal = page.id
                  ) own FULL JOIN (VALUES
                    (change.intent ->> 'network', change.intent -> 'asset' ->> 'coin',
                     CASE WHEN page.type = 'deposit.rise_booked' THEN 'chain' ELSE 'available' END,
                     CASE WHEN page.type = 'deposit.rise_booked' THEN change.intent ->> 'address_id'
                       ELSE coalesce(change.intent ->> 'from_user_reference', '') END, signed.amount),
                    (change.intent ->> 'network', change.intent -> 'asset' ->> 'coin',
                     CASE WHEN page.type = 'exception.written_off' THEN 'chain' ELSE 'available' END,
                     CASE WHEN page.type = 'exception.written_off' THEN change.intent ->> 'address_id'
                       ELSE coalesce(change.intent ->> 'to_user_reference', '') END, -signed.amount)
                  ) due (caip2, coin, kind, owner, amount) USING (caip2, coin, kind, owner, amount)
                  WHERE (due IS NULL) <> (own IS NULL)))
              AND (page.type <> 'deposit.rise_booked' OR EXISTS (
                -- The rise has the same coins, unless the booking was taken back.
                SELECT FROM balance_rises cause JOIN entry ON entry.journal = page.id
                  AND (entry.network, entry.coin, entry.kind, entry.owner, entry.amount)
                    = (cause.network, cause.coin, 'chain', cause.address_id, cause.amount)
                WHERE cause.journal_id = page.id
                UNION ALL
                SELECT FROM ledger_journals undo WHERE undo.reverses = page.id))
            WHEN page.type = 'exception.held' THEN EXISTS (
              SELECT FROM exception_holds hold
              WHERE hold.journal_id = page.id AND hold.exception_id = page.reference AND hold.merchant_id = ${merchantId}
                AND NOT EXISTS (
                  -- The amount is compared by the check of holds.
                  SELECT FROM entry WHERE entry.journal = page.id
                    AND (entry.network, entry.coin, entry.owner) <> (hold.network, hold.coin, hold.owner)))
            WHEN page.type = 'foreign_spend.booked' THEN NOT EXISTS (
              SELECT FROM entry WHERE entry.journal = page.id AND entry.kind <> 'chain'
                AND (entry.kind, entry.owner) <> ('available', ''))
              AND EXISTS (
                SELECT FROM foreign_spends cause
                WHERE cause.journal_id = page.id AND cause.txid = page.reference AND cause.merchant_id = ${merchantId}
                UNION ALL
                SELECT FROM ledger_journals undo WHERE undo.reverses = page.id)
            WHEN page.type = 'balance_fall.booked' THEN NOT EXISTS (
              SELECT FROM entry WHERE entry.journal = page.id
                AND (entry.kind, entry.owner) NOT IN (('chain', page.reference), ('available', '')))
              AND EXISTS (
                SELECT FROM balance_falls cause
                WHERE cause.journal_id = page.id AND cause.address_id = page.reference
                  AND cause.merchant_id = ${merchantId}
                  AND cause.amount = (SELECT max(entry.amount) FROM entry WHERE entry.journal = page.id)
                UNION ALL
                SELECT FROM ledger_journals undo WHERE undo.reverses = page.id)
            -- The check of deposits finds what such a journal books of no deposit.
            ELSE page.type LIKE 'deposit.%' AND NOT EXISTS (
              SELECT FROM deposits WHERE id = page.reference AND merchant_id = ${merchantId})
            END AS caused
          FROM page
        ), wrong AS (
          -- One finding a journal: the first coin that is not balanced, else its first coin.
          SELECT DISTINCT ON (judged.id) judged.id::text, judged.type, judged.reference, sums.network, sums.coin,
                 sums.sum::text, sums.moved::text
          FROM judged JOIN sums ON sums.journal = judged.id
          WHERE sums.sum <> 0 OR NOT judged.caused
            -- No journal of another type books a rise.
            OR judged.type <> 'deposit.rise_booked' AND EXISTS (
              SELECT FROM balance_rises WHERE journal_id = judged.id)
          ORDER BY judged.id, sums.sum = 0, sums.network, sums.coin
        )
        SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(key) FROM page) AS last,
               (SELECT coalesce(jsonb_agg(wrong), '[]') FROM wrong) AS found`,
      ({ id, type, reference, network, coin, sum, moved }) => {
        const common = { subject: { type: 'journal', id }, network, coin }
        findings.differ(
          sum !== '0'
            ? {
                ...common,
                expected: '0',
                actual: amount(network, coin, sum),
                reason: 'The entries of the journal do not sum to zero',
              }
            : {
                ...common,
                field: 'cause',
                expected: null,
                actual: amount(network, coin, moved),
                reason: `Nothing that is stored caused the journal as it is: ${type} of ${reference}`,
              },
        )
      },
    )
    yield* eachPage(
      '',
      (after) => tx<Page<string, Unbooked>[]>`
        WITH page AS MATERIALIZED (
          SELECT id, network, coin, amount, journal_id FROM transfers
          WHERE merchant_id = ${merchantId} AND id > ${after} ORDER BY id LIMIT ${PAGE}
        )
        SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(id) FROM page) AS last,
               (SELECT coalesce(jsonb_agg(jsonb_build_object(
                         'id', id, 'subject', 'transfer', 'network', network, 'coin', coin, 'amount', amount::text)
                         ORDER BY id), '[]')
                FROM page WHERE NOT EXISTS (
                  SELECT FROM ledger_journals journal
                  WHERE journal.id = page.journal_id AND journal.reference = page.id AND journal.type = 'transfer')) AS found`,
      unbooked,
    )
    yield* eachPage(
      '',
      (after) => tx<Page<string, Unbooked>[]>`
        WITH page AS MATERIALIZED (
          SELECT id, intent FROM control_changes
          WHERE merchant_id = ${merchantId} AND kind = 'exception_resolution' AND state = 'effective' AND id > ${after}
          ORDER BY id LIMIT ${PAGE}
        )
        SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(id) FROM page) AS last,
               (SELECT coalesce(jsonb_agg(jsonb_build_object(
                         'id', intent ->> 'exception', 'subject', 'exception', 'network', NULL,
                         'coin', intent -> 'asset' ->> 'coin', 'amount', NULL) ORDER BY id), '[]')
                FROM page WHERE NOT EXISTS (
                  SELECT FROM ledger_journals journal
                  WHERE journal.merchant_id = ${merchantId}
                    AND journal.idempotency_key = 'exception:' || (intent ->> 'exception') || ':' || page.id)) AS found`,
      unbooked,
    )
    yield* eachPage(
      '',
      (after) => tx<Page<string, Unbooked>[]>`
        WITH page AS MATERIALIZED (
          SELECT * FROM (
            SELECT network || ' ' || txid AS key, txid AS id, 'transaction' AS subject, network, journal_id
            FROM foreign_spends WHERE merchant_id = ${merchantId} AND journal_id IS NOT NULL
            UNION ALL
            SELECT concat_ws(' ', network, address_id, coin, block_number), address_id, 'address', network, journal_id
            FROM balance_falls WHERE merchant_id = ${merchantId}
            UNION ALL
            SELECT concat_ws(' ', rise.network, rise.address_id, rise.coin, rise.source, rise.reference),
                   rise.address_id, 'address', rise.network, rise.journal_id
            FROM balance_rises rise JOIN addresses address ON address.id = rise.address_id
            WHERE address.merchant_id = ${merchantId} AND rise.journal_id IS NOT NULL
          ) cause
          WHERE key > ${after} ORDER BY key LIMIT ${PAGE}
        )
        SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(key) FROM page) AS last,
               (SELECT coalesce(jsonb_agg(jsonb_build_object(
                         'id', id, 'subject', subject, 'network', network, 'coin', NULL, 'amount', NULL) ORDER BY key), '[]')
                FROM page WHERE EXISTS (SELECT FROM ledger_journals undo WHERE undo.reverses = page.journal_id)) AS found`,
      unbooked,
    )

    function unbooked({ id, subject, network, coin, amount: units }: Unbooked): void {
      findings.differ({
        subject: { type: subject, id },
        field: 'journal',
        network,
        coin,
        expected:
          units === null || coin === null || network === null ? 'booked' : amount(network, coin, units),
        actual: null,
        reason: 'The books have no journal of it that stands',
      })
    }
  },
}
