/** Compares the outputs that the books hold at a block with those that the auditor read from the chain. */

import type { Transaction } from '../connect.js'
import type { BooksAt } from './books-at.js'

/** An output that one side has and the other has not, or has differently. */
export interface OutputDifference {
  readonly txid: string
  readonly vout: number
  readonly addressId: string
  readonly address: string
  /** Base units that the chain has there unspent. `null` if it has none. */
  readonly onChain: bigint | null
  /** Base units that the books have there. `null` if they have none. */
  readonly inBooks: bigint | null
  /** Block that made it. `null` if the chain never did. */
  readonly madeIn: number | null
  /** Block that spent it, where the chain says so. */
  readonly spentIn: number | null
  /** Base units of the transfers to its address that are too small for the books and only counted. */
  readonly small: bigint
}

const PAGE = 500

interface Row extends Omit<OutputDifference, 'madeIn' | 'spentIn'> {
  readonly madeIn: bigint | null
  readonly spentIn: bigint | null
}

/**
 * Reads all differences, page by page. Both sides are one ordered pass over the unspent outputs of the merchant.
 *
 * @param tx - A snapshot of the books and of the auditor's record.
 * @returns The number of outputs that were compared.
 */
export async function compareOutputs(
  tx: Transaction,
  books: BooksAt,
  take: (page: readonly OutputDifference[]) => Promise<void> | void,
): Promise<number> {
  const { merchantId, network, height } = books
  const [counted] = await tx<{ count: number }[]>`
    SELECT count(*)::float8 AS count FROM audited_outputs
    WHERE merchant_id = ${merchantId} AND network = ${network} AND height <= ${height}
      AND (spent_height IS NULL OR spent_height > ${height})`
  const rows = tx<Row[]>`
    SELECT txid, vout, address.id AS "addressId", address.address, chain.amount AS "onChain",
           books.amount AS "inBooks", chain.height AS "madeIn", (
             SELECT spent_height FROM audited_outputs
             WHERE network = ${network} AND txid = books.txid AND vout = books.vout) AS "spentIn",
           coalesce((SELECT sum(amount) FROM small_transfers small
                     WHERE small.address_id = address.id AND small.block_number <= ${height}), 0) AS small
    FROM (
      SELECT txid, vout, address_id, amount FROM utxos
      WHERE merchant_id = ${merchantId} AND network = ${network} AND block_number <= ${height}
        AND (spent_at_block IS NULL OR spent_at_block > ${height})
    ) books FULL JOIN (
      SELECT txid, vout, address_id, amount, height FROM audited_outputs
      WHERE merchant_id = ${merchantId} AND network = ${network} AND height <= ${height}
        AND (spent_height IS NULL OR spent_height > ${height})
    ) chain USING (txid, vout)
    JOIN addresses address ON address.id = coalesce(books.address_id, chain.address_id)
    WHERE books.amount IS DISTINCT FROM chain.amount OR books.address_id IS DISTINCT FROM chain.address_id
    ORDER BY txid, vout`
  for await (const page of rows.cursor(PAGE)) {
    await take(page.map((row) => ({ ...row, madeIn: toNumber(row.madeIn), spentIn: toNumber(row.spentIn) })))
  }
  return counted?.count ?? 0
}

function toNumber(height: bigint | null): number | null {
  return height === null ? null : Number(height)
}
