/** Compares what the ledger says that addresses of the Bitcoin family hold with the outputs at them. */

import type { Transaction } from '../connect.js'
import { type BooksAt, entriesAfter, isUnbooked } from './books-at.js'

/** An address whose ledger agrees neither with the chain nor with the outputs that the books hold. */
export interface AddressDifference {
  readonly addressId: string
  readonly address: string
  readonly coin: string
  readonly onChain: bigint
  /** Base units of the ledger, with what is mined and waits for its booking. */
  readonly inBooks: bigint
}

const PAGE = 500

/**
 * Reads all differences, page by page.
 *
 * A deposit that the watcher missed, and an output that the books lost, are found as outputs. Here an address counts
 * only when its ledger differs from both sides, so that one fault is one difference.
 *
 * @param tx - A snapshot of the books and of the auditor's record.
 * @param coin - The network's only coin.
 * @returns The number of addresses with a ledger account.
 */
export async function compareAddresses(
  tx: Transaction,
  books: BooksAt,
  coin: string,
  take: (page: readonly AddressDifference[]) => Promise<void> | void,
): Promise<number> {
  const { merchantId, network, height } = books
  const [counted] = await tx<{ count: number }[]>`
    SELECT count(*)::float8 AS count FROM ledger_accounts
    WHERE merchant_id = ${merchantId} AND network = ${network} AND coin = ${coin} AND kind = 'chain'`
  const rows = tx<AddressDifference[]>`
    WITH ledger AS (
      SELECT account.owner AS address_id, account.balance - coalesce(later.amount, 0) AS amount
      FROM ledger_accounts account LEFT JOIN (${entriesAfter(tx, books)}) later ON later.account_id = account.id
      WHERE account.merchant_id = ${merchantId} AND account.network = ${network} AND account.coin = ${coin}
        AND account.kind = 'chain'
    ), flight AS (
      SELECT address_id, sum(amount) AS amount FROM (
        SELECT address_id, amount FROM deposits
        WHERE merchant_id = ${merchantId} AND network = ${network} AND status = 'unconfirmed'
          AND block_number <= ${height}
        UNION ALL
        SELECT input.address_id, -input.amount
        FROM attempts own CROSS JOIN jsonb_to_recordset(own.inputs) AS input (address_id text, amount numeric)
        WHERE ${isUnbooked(tx, books)}
        UNION ALL
        SELECT output.address_id, output.amount
        FROM attempts own JOIN utxos output ON output.network = own.network AND output.txid = own.txid
        WHERE ${isUnbooked(tx, books)} AND output.merchant_id = ${merchantId} AND NOT EXISTS (
          SELECT FROM deposits
          WHERE network = output.network AND txid = output.txid AND output_index = output.vout)
      ) moved
      GROUP BY address_id
    ), books AS (
      SELECT address_id, sum(amount) AS amount FROM utxos
      WHERE merchant_id = ${merchantId} AND network = ${network} AND block_number <= ${height}
        AND (spent_at_block IS NULL OR spent_at_block > ${height})
      GROUP BY address_id
    ), chain AS (
      SELECT address_id, sum(amount) AS amount FROM audited_outputs
      WHERE merchant_id = ${merchantId} AND network = ${network} AND height <= ${height}
        AND (spent_height IS NULL OR spent_height > ${height})
      GROUP BY address_id
    ), each AS (
      SELECT address_id, coalesce(ledger.amount, 0) + coalesce(flight.amount, 0) AS in_books,
             coalesce(books.amount, 0) AS held, coalesce(chain.amount, 0) AS on_chain
      FROM ledger FULL JOIN flight USING (address_id) FULL JOIN books USING (address_id)
      FULL JOIN chain USING (address_id)
    )
    SELECT address.id AS "addressId", address.address, ${coin}::text AS coin, each.on_chain AS "onChain",
           each.in_books AS "inBooks"
    FROM each JOIN addresses address ON address.id = each.address_id
    WHERE each.in_books <> each.on_chain AND each.in_books <> each.held
    ORDER BY address.id`
  for await (const page of rows.cursor(PAGE)) await take(page)
  return counted?.count ?? 0
}
