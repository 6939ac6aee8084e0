/** Lists what was mined up to a block and waits for its booking. It is expected to differ, and no fault. */

import type { Queryable } from '../connect.js'
import { type BooksAt, isUnbooked } from './books-at.js'

export interface InFlight {
  readonly type: 'deposit' | 'withdrawal'
  readonly id: string
  readonly address: string | null
  readonly txid: string
  /** Output index of a deposit. */
  readonly vout: number | null
  readonly coin: string
  /** Base units that the chain has moved and the books have not: positive for deposits. */
  readonly amount: bigint
}

/** Returns the oldest ones. @param most - Most of each kind. */
export async function listInFlight(sql: Queryable, books: BooksAt, most: number): Promise<InFlight[]> {
  const { merchantId, network, height } = books
  return sql<InFlight[]>`
    (SELECT 'deposit' AS type, deposit.id, address.address, txid, output_index AS vout, coin, amount
     FROM deposits deposit JOIN addresses address ON address.id = deposit.address_id
     WHERE deposit.merchant_id = ${merchantId} AND deposit.network = ${network} AND status = 'unconfirmed'
       AND block_number <= ${height}
     ORDER BY deposit.id LIMIT ${most})
    UNION ALL
    (SELECT 'withdrawal', own.payout_id, address.address, own.txid, NULL, own.coin, -own.amount
     FROM attempts own LEFT JOIN addresses address ON address.id = own.from_address_id
     WHERE ${isUnbooked(sql, books)}
     ORDER BY own.id LIMIT ${most})`
}
