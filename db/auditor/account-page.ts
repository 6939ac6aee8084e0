/** Reads issued addresses with what the books expect to be on them at a block, some at a time. */

import type { Sql } from '../connect.js'
import { type BooksAt, isUnbooked, readSnapshot } from './books-at.js'

export interface AccountAt {
  readonly addressId: string
  readonly address: string
  /** Base units of the ledger, with deposits that are mined and wait for their confirmations. */
  readonly booked: bigint
  /** Base units of transfers below the network's minimum, which are only counted. */
  readonly small: bigint
  /** Reference of a noticed rise that no transaction explains and that is not booked. `null` without one. */
  readonly rise: string | null
  /** Base units of such rises, and of all that were noticed after the block: their coins may be older than it. */
  readonly risen: bigint
  /** Base units of such rises that were noticed up to the block. */
  readonly risenBefore: bigint
  /** Base units that the chain itself paid (validators' withdrawals), and that are not booked. */
  readonly granted: bigint
}

/** A transaction of the merchant that was mined up to the block, and that the ledger has not booked. */
export interface UnbookedAttempt {
  readonly txid: string
  readonly fromAddressId: string
  readonly fromAddress: string
  /** Coin that it sends. */
  readonly coin: string
  readonly amount: bigint
  /** Own address that a movement pays. `null` for other payouts: what they pay to an own address is a deposit. */
  readonly toAddress: string | null
  readonly cancels: boolean
}

export interface AccountPage {
  readonly accounts: readonly AccountAt[]
  /** Attempts that concern the accounts of the page. */
  readonly attempts: readonly UnbookedAttempt[]
}

/** Which addresses are read. */
export interface AccountChoice {
  /** Id after which the page begins. */
  readonly after: string
  readonly most: number
  /** Reads this address alone. */
  readonly only?: string
}

/**
 * Reads the addresses after `after` with their accounts of a coin, and the attempts in flight, in one snapshot. So a
 * payout that is booked meanwhile counts once. Addresses without an entry are read as well, because what the books
 * have missed may lie on them.
 */
export function readAccountPage(
  sql: Sql,
  books: BooksAt,
  coin: string,
  { after, only, most }: AccountChoice,
): Promise<AccountPage> {
  const { merchantId, network, height } = books
  return readSnapshot(sql, async (tx) => {
    // What counts after the block was recorded after it. The time of a block may be two hours ahead.
    const since = tx`(
      SELECT coalesce(min(time), '-infinity') - interval '3 hours' FROM chain_blocks
      WHERE network = ${network} AND height = ${height})`
    const accounts = await tx<AccountAt[]>`
      WITH address AS (
        SELECT id, address FROM addresses
        WHERE merchant_id = ${merchantId} AND network = ${network} AND id > ${after}
          ${only === undefined ? tx`` : tx`AND id = ${only}`}
        ORDER BY id LIMIT ${most}
      )
      SELECT address.id AS "addressId", address.address,
        coalesce(account.balance, 0) - coalesce((
          SELECT sum(entry.amount)
          FROM ledger_entries entry JOIN ledger_journals journal ON journal.id = entry.journal_id
          WHERE entry.account_id = account.id AND account.updated_at >= ${since} AND entry.recorded_at >= ${since}
            AND journal.height > ${height} AND journal.reverses IS NULL
            AND NOT EXISTS (SELECT FROM ledger_journals undo WHERE undo.reverses = journal.id)), 0)
        + coalesce((
          SELECT sum(amount) FROM deposits
          WHERE address_id = address.id AND coin = ${coin} AND status = 'unconfirmed' AND block_number <= ${height}), 0)
          AS booked,
        coalesce((
          SELECT sum(amount) FROM small_transfers
          WHERE address_id = address.id AND coin = ${coin} AND block_number <= ${height}), 0) AS small,
        coalesce((
          SELECT sum(amount) FROM balance_rises
          WHERE network = ${network} AND address_id = address.id AND coin = ${coin}
            AND source = 'validator_withdrawal' AND block_number <= ${height} AND journal_id IS NULL), 0) AS granted,
        rise.reference AS rise, rise.risen, rise.risen_before AS "risenBefore"
      FROM address CROSS JOIN LATERAL (
        SELECT min(reference) FILTER (WHERE journal_id IS NULL) AS reference, coalesce(sum(amount), 0) AS risen,
               coalesce(sum(amount) FILTER (WHERE block_number <= ${height}), 0) AS risen_before
        FROM balance_rises
        WHERE network = ${network} AND address_id = address.id AND coin = ${coin} AND source = 'unexplained'
          -- The journal of one that is booked counts from the block at which it was noticed.
          AND (journal_id IS NULL OR block_number > ${height})
      ) rise LEFT JOIN ledger_accounts account
        ON account.merchant_id = ${merchantId} AND account.network = ${network} AND account.coin = ${coin}
        AND account.kind = 'chain' AND account.owner = address.id
      ORDER BY address.id`
    if (accounts.length === 0) return { accounts, attempts: [] }
    const attempts = await tx<UnbookedAttempt[]>`
      SELECT own.txid, own.from_address_id AS "fromAddressId", sender.address AS "fromAddress", own.coin, own.amount,
             CASE WHEN payout.kind IN ('consolidation', 'gas_funding', 'rebalance') THEN payout.to_address END AS "toAddress",
             own.purpose = 'cancel' AS cancels
      FROM attempts own JOIN addresses sender ON sender.id = own.from_address_id
      LEFT JOIN payouts payout ON payout.id = own.payout_id
      WHERE ${isUnbooked(tx, books)}
        AND (own.from_address_id = ANY (${accounts.map((account) => account.addressId)})
             OR payout.to_address = ANY (${accounts.map((account) => account.address)}))`
    return { accounts, attempts }
  })
}
