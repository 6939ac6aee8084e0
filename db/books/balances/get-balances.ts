/** Reads balances per coin, now or at an instant, of a merchant, a user or an address. */

import { GONE_DEPOSITS, PENDING_DEPOSITS, RESERVED_DEPOSITS } from '../../../domain/deposits/deposit-sets.js'
import type { Queryable } from '../../connect.js'
import { members } from '../../members.js'

export interface BalanceFilter {
  readonly merchantId: string
  readonly userReference?: string
  readonly addressId?: string
  readonly network?: string
  readonly coin?: string
  /** Instant of which the recorded balances are read. Default: now. */
  readonly asOf?: Date
}

/** Balance of one coin, in base units. */
export interface UnitBalance {
  readonly network: string
  readonly coin: string
  /**
   * Amount that may be withdrawn. It may be negative for the merchant's own account, or after a reorg of
   * spent money.
   */
  readonly available: bigint
  /** Amount held for payouts, or confirmed and still being screened. */
  readonly reserved: bigint
  /** Confirmed amount on the addresses in the chain. */
  readonly blockchain: bigint
  /** Amount of deposits that are detected but not yet confirmed. */
  readonly pending: bigint
}

interface Row extends UnitBalance {
  /** Amount of deposits at the address that are confirmed but not yet credited. */
  readonly screened: bigint
}

/**
 * Sums the accounts that the filter selects. Without a user or an address it sums everything that the
 * merchant holds and owes, wallets included. An address has no liabilities of its own: its reserved amount is
 * what arrived there and is still being screened, and its available amount is the rest. An enabled coin
 * without a journal is listed as zero.
 */
export async function getBalances(sql: Queryable, filter: BalanceFilter): Promise<UnitBalance[]> {
  const { merchantId, userReference, addressId, network, coin, asOf } = filter
  const deposits = sql`
    SELECT network, coin,
           coalesce(sum(amount) FILTER (WHERE pending), 0) AS pending,
           coalesce(sum(amount) FILTER (WHERE screened), 0) AS reserved
    FROM (
      SELECT network, coin, amount,
             ${
               asOf
                 ? sql`detected_at <= ${asOf} AND (confirmed_at IS NULL OR confirmed_at > ${asOf}) AND status NOT IN ${members(sql, GONE_DEPOSITS)}`
                 : sql`status IN ${members(sql, PENDING_DEPOSITS)}`
             } AS pending,
             ${
               asOf
                 ? sql`confirmed_at <= ${asOf} AND (credited_at IS NULL OR credited_at > ${asOf}) AND status NOT IN ${members(sql, GONE_DEPOSITS)}`
                 : sql`status IN ${members(sql, RESERVED_DEPOSITS)}`
             } AS screened
      FROM deposits
      WHERE merchant_id = ${merchantId}
        ${addressId === undefined ? sql`` : sql`AND address_id = ${addressId}`}
        ${userReference === undefined ? sql`` : sql`AND user_reference = ${userReference}`}
        ${asOf || addressId !== undefined ? sql`` : sql`AND status IN ${members(sql, PENDING_DEPOSITS)}`}
    ) each
    GROUP BY network, coin`
  const balanceOfAccount = asOf
    ? sql`coalesce((SELECT entry.balance_after FROM ledger_entries entry
                    WHERE entry.account_id = account.id AND entry.recorded_at <= ${asOf}
                    ORDER BY entry.account_version DESC LIMIT 1), 0)`
    : sql`account.balance`
  const selected =
    addressId !== undefined
      ? sql`account.kind = 'chain' AND account.owner = ${addressId}`
      : userReference !== undefined
        ? sql`(account.kind IN ('available', 'reserved') AND account.owner = ${userReference}
               OR account.kind = 'chain' AND account.owner IN (
                 SELECT id FROM addresses WHERE merchant_id = ${merchantId} AND user_reference = ${userReference}))`
        : sql`true`
  const rows = await sql<Row[]>`
    WITH deposit AS (${deposits}), ledger AS (
      SELECT account.network, account.coin,
             coalesce(sum(-(${balanceOfAccount})) FILTER (WHERE account.kind = 'available'), 0) AS available,
             coalesce(sum(-(${balanceOfAccount})) FILTER (WHERE account.kind = 'reserved'), 0) AS reserved,
             coalesce(sum(${balanceOfAccount}) FILTER (WHERE account.kind = 'chain'), 0) AS blockchain
      FROM ledger_accounts account
      WHERE account.merchant_id = ${merchantId} AND ${selected}
      GROUP BY account.network, account.coin
    ), rail AS (
      SELECT network, coin FROM merchant_rails
      WHERE merchant_id = ${merchantId}
        ${addressId === undefined ? sql`` : sql`AND network = (SELECT network FROM addresses WHERE id = ${addressId})`}
    )
    SELECT network, coin,
           coalesce(ledger.available, 0) AS available, coalesce(ledger.blockchain, 0) AS blockchain,
           coalesce(ledger.reserved, 0) AS reserved, coalesce(deposit.pending, 0) AS pending,
           coalesce(deposit.reserved, 0) AS screened
    FROM rail FULL JOIN ledger USING (network, coin) FULL JOIN deposit USING (network, coin)
    WHERE true ${network === undefined ? sql`` : sql`AND network = ${network}`}
      ${coin === undefined ? sql`` : sql`AND coin = ${coin}`}
    ORDER BY network, coin`
  return rows.map((row) => ({
    network: row.network,
    coin: row.coin,
    available: addressId === undefined ? row.available : row.blockchain - row.screened,
    reserved: addressId === undefined ? row.reserved : row.screened,
    blockchain: row.blockchain,
    pending: row.pending,
  }))
}
